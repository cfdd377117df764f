"""Packets and captures: the thousand flows, and the hostile vectors of the reliability notes."""
import random
import struct


def checksum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def udp4(src, dst, sport, dport, size=60, eth_src="020000000001", eth_dst="020000000002"):
    eth = bytes.fromhex(eth_dst + eth_src) + b"\x08\x00"
    length = size - len(eth)
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, length, 0, 0, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    p = eth + ip + struct.pack("!HHHH", sport, dport, length - 20, 0)
    return p + bytes(size - len(p))


def flows(n, seed=1):
    """n packets of n distinct UDP/IPv4 five-tuples in shuffled order."""
    order = list(range(n))
    random.Random(seed).shuffle(order)
    return [udp4(0x0A000000 + (i & 0xFFFF), 0x0B000000 + (i >> 16), 1024 + i % 50000, 80) for i in order]


def write_pcap(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for p in packets:
            f.write(struct.pack("<IIII", 0, 0, len(p), len(p)) + p)
    return path


def read_pcap(path):
    data = open(path, "rb").read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, out = 24, []
    while at + 16 <= len(data):
        n = struct.unpack_from(order + "I", data, at + 8)[0]
        out.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return out


_E = "020000000002" "020000000001"
_IP6 = "fe80000000000000" "0000000000000001"
_NA = _E + "86dd" "60000000" "00203aff" + _IP6 + "ff020000000000000000000000000001"
_LLDP = "0180c200000e" "020000000001" "88cc" "020704020000000001" "04030570310602" "0078"

# Malformed and truncated frames, each a class of bug that once broke a switch.
HOSTILE = {
    "mpls, 8 labels, none the last": _E + "8847" + "00001040" * 8,
    "mpls, no label": _E + "8847",
    "mpls, 3 bytes of a label": _E + "8847" "000010",
    "ipv4, header longer than the datagram": _E + "0800" "4b000028000100004006d36fc0a80a01c0a80a02" + "01" * 24,
    "ipv4, protocol 0": _E + "0800" "4500002e000100004000e57bc0a80a01c0a80a02" + "aa" * 26,
    "udp and 256 bytes of padding": _E + "0800" "4500001c000100004011e57cc0a80a01c0a80a02" "1234003500080000" + "00" * 256,
    "ipv6, 48 bytes promised, 40 there": _E + "86dd" "60000000" "00303aff" + _IP6 + "fe800000000000000000000000000002" "8800000200000000" "00000000000000000000000000000002" "0100000000000000" "00000000",
    "neighbour advertisement, option length 255": _NA + "8800000020000000fe800000000000000000000000000001" "02ff000000000000",
    "neighbour advertisement, option length 0": _NA + "8800000020000000fe800000000000000000000000000001" "0200000000000000",
    "neighbour advertisement, code 1": _NA + "8801000020000000fe800000000000000000000000000001" "0201000000000000",
    "lldp, management address length 0": _LLDP + "1007000200000001000000",
    "lldp, management address length 255": _LLDP + "1029ff" + "01" * 40 + "0000",
    "lldp, short auto-attach element": _LLDP + "fe0500040d0b000000",
    "lldp, short auto-attach isid": _LLDP + "fe0500040d0c000000",
    "lldp, system name 200 times": _LLDP + "0a0178" * 200 + "0000",
    "lldp, reserved tlv": _LLDP + "c802dead" "0a026f6b" "0000",
    "geneve, options cut off": _E + "0800" "45000024000100004011e574c0a80a01c0a80a02" "9c4017c100100000" "3f00655800000000",
    "geneve, option beyond the options": _E + "0800" "45000028000100004011e570c0a80a01c0a80a02" "9c4017c100140000" "0100655800000000" "0102801f",
    "ethernet header only": _E + "0800",
    "vlan tag cut off": _E + "8100" "00",
    "arp cut off": _E + "0806" "0001080006",
    "ipv4, 1 byte": _E + "0800" "45",
    "ipv4, version 6": _E + "0800" "6500001c000100004011e57cc0a80a01c0a80a02" "1234003500080000",
    "ipv4, header of 4 bytes": _E + "0800" "4100001c000100004011e57cc0a80a01c0a80a02" "1234003500080000",
    "ipv4, total length 0": _E + "0800" "45000000000100004011e57cc0a80a01c0a80a02" "1234003500080000",
    "ipv4, total length 65535": _E + "0800" "4500ffff000100004011e57cc0a80a01c0a80a02" "1234003500080000",
    "tcp, header of 60 bytes in 20": _E + "0800" "45000028000100004006e57cc0a80a01c0a80a02" "00500050" "0000000000000000" "f0020000" "00000000",
    "tcp cut off": _E + "0800" "45000028000100004006e57cc0a80a01c0a80a02" "0050",
    "ipv6, hop-by-hop header cut off": _E + "86dd" "60000000" "000800ff" + _IP6 + _IP6 + "2c",
    "ipv6, hop-by-hop header too long": _E + "86dd" "60000000" "000800ff" + _IP6 + _IP6 + "11ff000000000000",
    "ipv6, fragment header cut off": _E + "86dd" "60000000" "00042cff" + _IP6 + _IP6 + "11000001",
    "nsh, length beyond the packet": _E + "894f" "0fff" "0103" "00000100",
    "all ones": "ff" * 60,
    "all zeroes": "00" * 60,
}


def hostile():
    """The hostile frames as bytes, by name."""
    return {name: bytes.fromhex(h) for name, h in HOSTILE.items()}


def cut_short(packet):
    """A good packet at every length from an Ethernet header on."""
    return [packet[:n] for n in range(14, len(packet))]

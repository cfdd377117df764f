//! The checksum that schema files carry: POSIX `cksum` over the file without its cksum line.
//!
//! The file's text counts, not its meaning: blank lines and the line with the member are left out,
//! as OVS's build does it.

const POLY: u32 = 0x04c1_1db7;

/// `CRC LENGTH` of `text` without the lines that hold a `cksum` member or nothing.
pub fn cksum(text: &str) -> String {
    let kept: String = text.split_inclusive('\n').filter(|line| !line.contains("\"cksum\":")).collect();
    let bytes = kept.as_bytes();
    let mut crc = 0;
    for &b in bytes {
        crc = step(crc, b);
    }
    let mut len = bytes.len();
    while len > 0 {
        crc = step(crc, (len & 0xff) as u8);
        len >>= 8;
    }
    format!("{} {}", !crc, bytes.len())
}

fn step(crc: u32, byte: u8) -> u32 {
    let mut crc = crc ^ (u32::from(byte) << 24);
    for _ in 0..8 {
        crc = if crc & 0x8000_0000 != 0 { (crc << 1) ^ POLY } else { crc << 1 };
    }
    crc
}

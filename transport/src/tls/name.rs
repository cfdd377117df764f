//! The name in a certificate: its subject's common name, which role-based access control goes by.
//! Reads just enough of X.509 (RFC 5280 section 4.1) to find it; what is malformed has no name.

/// DER tags.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const VERSION: u8 = 0xa0;
/// String types that a name may have: UTF8String, PrintableString, TeletexString, IA5String.
const STRINGS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];
/// 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// One element: its tag, its contents, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let n = usize::from(first & 0x7f);
        let bytes = rest.get(..n).filter(|_| (1..=4).contains(&n))?;
        (bytes.iter().fold(0, |len, &b| len << 8 | usize::from(b)), &rest[n..])
    };
    Some((tag, rest.get(..len)?, &rest[len..]))
}

/// The contents of an element that must have this tag, and what follows it.
fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, contents, rest) = element(der)?;
    (found == tag).then_some((contents, rest))
}

/// The first common name of the subject of a certificate.
pub(super) fn common_name(certificate: &[u8]) -> Option<String> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, after)) = expect(rest, VERSION) {
        rest = after;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    let (mut names, _) = expect(rest, SEQUENCE)?;
    while let Some((attributes, after)) = expect(names, SET) {
        names = after;
        let Some((attribute, _)) = expect(attributes, SEQUENCE) else { continue };
        let Some((oid, value)) = expect(attribute, OID) else { continue };
        if oid == COMMON_NAME
            && let Some((tag, text, _)) = element(value)
            && STRINGS.contains(&tag)
        {
            return std::str::from_utf8(text).ok().map(str::to_owned);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
        let contents = contents.concat();
        let mut out = vec![tag];
        match contents.len() {
            n if n < 0x80 => out.push(n as u8),
            n => out.extend([0x82, (n >> 8) as u8, n as u8]),
        }
        out.extend(contents);
        out
    }

    fn certificate(subject: &[u8]) -> Vec<u8> {
        let small = tlv(0x02, &[&[1]]);
        let other = tlv(SEQUENCE, &[]);
        let version = tlv(VERSION, &[&small]);
        let padding = tlv(0x04, &[&[0; 300]]);
        let tbs = tlv(SEQUENCE, &[&version, &small, &other, &other, &other, subject, &padding]);
        tlv(SEQUENCE, &[&tbs])
    }

    fn attribute(oid: &[u8], text: &str) -> Vec<u8> {
        let value = tlv(0x0c, &[text.as_bytes()]);
        tlv(SET, &[&tlv(SEQUENCE, &[&tlv(OID, &[oid]), &value])])
    }

    #[test]
    fn finds_the_first_common_name() {
        let country = attribute(&[0x55, 0x04, 0x06], "US");
        let subject =
            tlv(SEQUENCE, &[&country, &attribute(&COMMON_NAME, "chassis-1"), &attribute(&COMMON_NAME, "x")]);
        assert_eq!(common_name(&certificate(&subject)).as_deref(), Some("chassis-1"));
        assert_eq!(common_name(&certificate(&tlv(SEQUENCE, &[&country]))), None);
    }

    #[test]
    fn rubbish_has_no_name() {
        let subject = tlv(SEQUENCE, &[&attribute(&COMMON_NAME, "chassis-1")]);
        let good = certificate(&subject);
        for end in 0..good.len() {
            assert_eq!(common_name(&good[..end]), None, "cut at {end}");
        }
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 0x80;
            let _ = common_name(&bad);
        }
        assert_eq!(common_name(&[SEQUENCE, 0x88, 1, 1, 1, 1, 1, 1, 1, 1]), None);
    }
}

//! Two sessions against each other, whole and byte by byte, and against a peer of another mind.

use super::{Session, SessionError};
use crate::msg::Message;
use crate::types::{Version, VersionSet};

/// Moves all output of `from` into `to` in pieces of `n` bytes.
fn pump(from: &mut Session, to: &mut Session, n: usize) -> Result<Vec<Vec<u8>>, SessionError> {
    let mut got = Vec::new();
    let out = from.poll_transmit().to_vec();
    from.on_written(out.len());
    for piece in out.chunks(n) {
        to.on_bytes(piece, 0);
        while let Some(frame) = to.poll_frame()? {
            got.push(frame.bytes.to_vec());
        }
    }
    Ok(got)
}

#[test]
fn newest_common_version_wins_however_the_bytes_come() {
    for (a, b, want) in [
        (VersionSet::ALL, VersionSet::of(Version::V1_3), Version::V1_3),
        (VersionSet::up_to(Version::V1_0), VersionSet::ALL, Version::V1_0),
        (VersionSet(1 << 1 | 1 << 4), VersionSet(1 << 4 | 1 << 6), Version::V1_3),
    ] {
        for n in [1, 3, 4096] {
            let (mut x, mut y) = (Session::new(a, 5000, 0), Session::new(b, 5000, 0));
            assert!(pump(&mut x, &mut y, n).unwrap().is_empty());
            assert!(pump(&mut y, &mut x, n).unwrap().is_empty());
            assert_eq!((x.version(), y.version()), (Some(want), Some(want)));
            x.send_message(&Message::BarrierRequest);
            assert_eq!(pump(&mut x, &mut y, n).unwrap().len(), 1);
        }
    }
}

#[test]
fn without_a_common_version_both_learn_why() {
    let mut x = Session::new(VersionSet::of(Version::V1_3), 0, 0);
    let mut y = Session::new(VersionSet::of(Version::V1_5), 0, 0);
    let error = pump(&mut x, &mut y, 100).unwrap_err();
    assert!(matches!(error, SessionError::NoCommonVersion { .. }), "{error}");
    let out = y.poll_transmit().to_vec();
    let last = &out[out.len() - 20..];
    assert!(String::from_utf8_lossy(last).contains("no common versions."));
}

#[test]
fn an_idle_peer_is_probed_and_given_up() {
    let (mut x, mut y) = (Session::new(VersionSet::ALL, 5000, 0), Session::new(VersionSet::ALL, 0, 0));
    pump(&mut x, &mut y, 100).unwrap();
    pump(&mut y, &mut x, 100).unwrap();
    assert_eq!(x.poll_timeout(), Some(5000));
    x.handle_timeout(5000).unwrap();
    assert_eq!(x.poll_transmit()[1], 2);
    // The probe is answered: no message, no end.
    assert!(pump(&mut x, &mut y, 100).unwrap().is_empty());
    assert_eq!(y.poll_transmit()[1], 3);
    assert!(pump(&mut y, &mut x, 100).unwrap().is_empty());
    x.handle_timeout(5000).unwrap();
    assert!(matches!(x.handle_timeout(10_000), Err(SessionError::Dead(10))));
}

#[test]
fn a_length_below_the_header_ends_the_session() {
    let mut x = Session::new(VersionSet::ALL, 0, 0);
    x.on_bytes(&[1, 0, 0, 7, 0, 0, 0, 0], 0);
    assert!(matches!(x.poll_frame(), Err(SessionError::Frame(_))));
}

//! Targets that are not there; the texts are Debian's.

use super::*;

#[test]
fn says_what_is_missing() {
    let error = ask("/nonexistent/x.ctl", "version", &[]).unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to \"/nonexistent/x.ctl\" (No such file or directory)");
    let error = ask("no-such-daemon", "version", &[]).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read pidfile \"")
            && error.ends_with("no-such-daemon.pid\" (No such file or directory)")
    );
}

//! `--user=USER[:GROUP]`: gives up root, keeping the capabilities a switch needs.

use std::io;

use nix::unistd::{Gid, Group, Uid, User};

// <linux/capability.h>
const CAP_NET_BIND_SERVICE: u32 = 10;
const CAP_NET_BROADCAST: u32 = 11;
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_IPC_LOCK: u32 = 14;
const CAP_AUDIT_WRITE: u32 = 29;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

const KEPT: u32 = 1 << CAP_NET_BIND_SERVICE
    | 1 << CAP_NET_BROADCAST
    | 1 << CAP_NET_ADMIN
    | 1 << CAP_NET_RAW
    | 1 << CAP_IPC_LOCK
    | 1 << CAP_AUDIT_WRITE;

/// Whom to become.
#[derive(Clone, Debug)]
pub struct Identity {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Identity {
    /// Looks up `USER`, `USER:GROUP`, `USER:` (the user's own group) or `:GROUP`.
    pub fn parse(spec: &str) -> Result<Self, String> {
        let (user, group) = match spec.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (spec, None),
        };
        let found =
            if user.is_empty() { User::from_uid(nix::unistd::getuid()) } else { User::from_name(user) };
        let found = found.ok().flatten().ok_or_else(|| format!("Failed to lookup user {user}"))?;
        let gid = match group {
            None | Some("") => found.gid,
            Some(name) => {
                Group::from_name(name)
                    .ok()
                    .flatten()
                    .ok_or_else(|| format!("Failed to get group entry for {name}"))?
                    .gid
            }
        };
        Ok(Self { name: found.name, uid: found.uid, gid })
    }

    /// Becomes it. Call before threads exist: Linux capabilities belong to a thread.
    pub fn assume(&self) -> io::Result<()> {
        if nix::unistd::getuid() == self.uid && nix::unistd::getgid() == self.gid {
            return Ok(());
        }
        let name = std::ffi::CString::new(self.name.as_str())?;
        // SAFETY: PR_SET_KEEPCAPS takes one integer and changes only this thread's flag.
        let kept = unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) };
        if kept != 0 {
            return Err(io::Error::last_os_error());
        }
        nix::unistd::setgid(self.gid)?;
        nix::unistd::initgroups(&name, self.gid)?;
        nix::unistd::setuid(self.uid)?;
        set_capabilities()
    }
}

/// Reduces the permitted and effective capabilities to [`KEPT`].
fn set_capabilities() -> io::Result<()> {
    let header: [u32; 2] = [CAPABILITY_VERSION_3, 0];
    // effective, permitted, inheritable; low words, then high words.
    let data: [u32; 6] = [KEPT, KEPT, 0, 0, 0, 0];
    // SAFETY: version 3 reads one header of two words and two sets of three words.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

//! Safe, thin wrappers over DPDK: one file per DPDK library. Control code may use everything; the packet path uses only the
//! burst functions of [`ethdev::EthDev`] and [`vhost`].
//!
//! All of DPDK's own rules that Rust cannot see (one initialisation per process, one thread per queue, devices stopped before
//! they are configured) are kept here or named in the `SAFETY` comments.

pub mod eal;
pub mod ethdev;
pub mod mempool;
pub mod vhost;

use std::ffi::{CStr, CString, c_char};

/// An error number of DPDK in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

impl Errno {
    /// The calling thread's `rte_errno`.
    pub fn last() -> Errno {
        // SAFETY: reads a thread-local integer.
        Errno(unsafe { dpdk_sys::vs_errno() })
    }

    /// DPDK returns 0 or a negative errno.
    pub(crate) fn check(status: i32) -> Result<(), Errno> {
        if status < 0 { Err(Errno(-status)) } else { Ok(()) }
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: rte_strerror returns a valid string for every number.
        f.write_str(&text(unsafe { dpdk_sys::rte_strerror(self.0) }))
    }
}

/// A C string as text; empty for null.
pub(crate) fn text(s: *const c_char) -> String {
    if s.is_null() {
        return String::new();
    }
    // SAFETY: non-null strings of DPDK are terminated and live through this call.
    unsafe { CStr::from_ptr(s) }.to_string_lossy().into_owned()
}

/// `s` for C; a NUL byte ends it early (no name that DPDK knows has one).
pub(crate) fn c_string(s: &str) -> CString {
    let bytes = s.as_bytes();
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// What `f` prints to a stream, as text ("" when no stream can be opened).
pub(crate) fn printed(f: impl FnOnce(*mut libc::FILE)) -> String {
    let (mut text, mut len) = (std::ptr::null_mut::<c_char>(), 0usize);
    // SAFETY: open_memstream fills both variables; they are valid after fclose and the buffer is ours to free.
    unsafe {
        let stream = libc::open_memstream(&mut text, &mut len);
        if stream.is_null() {
            return String::new();
        }
        f(stream);
        libc::fclose(stream);
        let out = String::from_utf8_lossy(std::slice::from_raw_parts(text.cast::<u8>(), len)).into_owned();
        libc::free(text.cast());
        out
    }
}

//! Row identifiers: OVSDB's text form only, and a generator that costs one system call per 256.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;

/// A row identifier. Ordered as OVSDB orders them (bytewise).
pub type Uuid = ::uuid::Uuid;

const POOL_SIZE: usize = 256 * 16;

/// Random bytes read ahead. Bound to one process: a forked child must not repeat its parent.
struct Pool {
    bytes: Box<[u8; POOL_SIZE]>,
    used: usize,
    pid: u32,
}

impl Pool {
    fn refill(&mut self, pid: u32) {
        let filled = File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut self.bytes[..]));
        if filled.is_err() {
            for chunk in self.bytes.chunks_exact_mut(16) {
                chunk.copy_from_slice(Uuid::new_v4().as_bytes());
            }
        }
        (self.used, self.pid) = (0, pid);
    }
}

thread_local! {
    static POOL: RefCell<Pool> =
        RefCell::new(Pool { bytes: Box::new([0; POOL_SIZE]), used: POOL_SIZE, pid: 0 });
}

/// A fresh random (version 4) identifier.
pub fn generate() -> Uuid {
    POOL.with_borrow_mut(|pool| {
        let pid = std::process::id();
        if pool.used == POOL_SIZE || pool.pid != pid {
            pool.refill(pid);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&pool.bytes[pool.used..pool.used + 16]);
        pool.used += 16;
        ::uuid::Builder::from_random_bytes(bytes).into_uuid()
    })
}

/// Parses the 36-character form; nothing else is a UUID to OVSDB.
pub fn parse_uuid(s: &str) -> Option<Uuid> {
    if s.len() != 36 {
        return None;
    }
    Uuid::try_parse(s).ok()
}

/// Appends the 36-character form.
pub fn write_uuid(uuid: &Uuid, out: &mut String) {
    let mut buf = [0; 36];
    out.push_str(uuid.as_hyphenated().encode_lower(&mut buf));
}

//! What is acknowledged is stored, and what is refused never comes back: with a disk that fails.

mod fixture;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fixture::{Client, Fixture};
use ovsdb::storage::{self, Disk};
use serde_json::{Value, json};

/// What the disk is to do wrong, and what it was asked to do.
#[derive(Debug, Default)]
struct Plan {
    /// Writes that fail, after half of their bytes.
    bad_writes: AtomicU32,
    bad_syncs: AtomicU32,
    n_syncs: AtomicU32,
}

#[derive(Debug)]
struct Faulty {
    disk: Arc<dyn Disk>,
    plan: Arc<Plan>,
}

fn take(n: &AtomicU32) -> bool {
    n.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
}

impl Disk for Faulty {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if take(&self.plan.bad_writes) {
            self.disk.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::Error::from_raw_os_error(28));
        }
        self.disk.write_all_at(bytes, offset)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.read_exact_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.plan.n_syncs.fetch_add(1, Ordering::Relaxed);
        if take(&self.plan.bad_syncs) { Err(io::Error::from_raw_os_error(5)) } else { self.disk.sync() }
    }
}

fn faulty() -> (Fixture, Arc<Plan>) {
    let (f, plan) = (Fixture::new(), Arc::<Plan>::default());
    let given = plan.clone();
    f.handle
        .call(move |e| {
            let file = e.dbs.get_mut("D").unwrap().file.as_mut().unwrap();
            file.log.map_disk(|disk| Arc::new(Faulty { disk, plan: given }));
        })
        .unwrap();
    (f, plan)
}

fn insert(n: i64, durable: bool) -> Value {
    let row = json!({"op": "insert", "table": "t", "row": {"n": n}});
    json!(["D", row, {"op": "commit", "durable": durable}])
}

fn succeeds(reply: &Value) -> bool {
    let results = reply["result"].as_array().unwrap();
    let failed = results.iter().find(|r| r.get("error").is_some());
    assert!(failed.is_none_or(|e| e["error"] == "I/O error"), "{reply}");
    failed.is_none()
}

/// The numbers in the file, as a server would find them after a crash.
fn stored(f: &Fixture) -> Vec<i64> {
    let opened = storage::open(&f.file(), storage::Mode::Read, None).unwrap();
    assert!(opened.damage.is_none(), "{:?}", opened.damage);
    let (n, _) = opened.db.schema().tables[0].lookup("n").unwrap();
    let mut all: Vec<_> = opened.db.table(0).rows().map(|r| r.column(n).as_integer().unwrap()).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_full_disk_refuses_and_keeps_what_was_there() {
    let (f, plan) = faulty();
    let mut c = f.client();
    assert!(succeeds(&c.call("transact", insert(1, false))));
    // The write of the batch, and that of the transaction alone.
    plan.bad_writes.store(2, Ordering::Relaxed);
    assert!(!succeeds(&c.call("transact", insert(2, false))));
    assert_eq!(c.numbers(), [1]);
    assert_eq!(stored(&f), [1]);
    assert!(succeeds(&c.call("transact", insert(3, true))));
    assert_eq!((c.numbers(), stored(&f)), (vec![1, 3], vec![1, 3]));
}

#[test]
fn a_transaction_that_fails_in_a_batch_is_tried_alone() {
    let (f, plan) = faulty();
    let mut c = f.client();
    plan.bad_writes.store(1, Ordering::Relaxed);
    assert!(succeeds(&c.call("transact", insert(1, false))));
    assert_eq!(stored(&f), [1]);
}

#[test]
fn a_failed_sync_refuses_and_the_file_is_written_anew() {
    let (f, plan) = faulty();
    let mut c = f.client();
    assert!(succeeds(&c.call("transact", insert(1, false))));
    plan.bad_syncs.store(1, Ordering::Relaxed);
    // Refused at first, then stored alone: in a new file, since the old one may have lost pages.
    assert!(succeeds(&c.call("transact", insert(2, true))));
    assert_eq!(stored(&f), [1, 2]);
    let before = plan.n_syncs.load(Ordering::Relaxed);
    assert!(succeeds(&c.call("transact", insert(3, true))));
    assert_eq!(plan.n_syncs.load(Ordering::Relaxed), before, "the bad file is not used any more");
    assert_eq!((c.numbers(), stored(&f)), (vec![1, 2, 3], vec![1, 2, 3]));
}

#[test]
fn nothing_durable_is_acknowledged_while_the_disk_fails() {
    let (f, plan) = faulty();
    let mut c = f.client();
    assert!(succeeds(&c.call("transact", insert(1, true))));
    plan.bad_syncs.store(u32::MAX, Ordering::Relaxed);
    // And no new file can be made: its name is taken by a folder.
    let tmp = f.path().join("db.tmp");
    std::fs::create_dir(&tmp).unwrap();
    for n in 2..5 {
        assert!(!succeeds(&c.call("transact", insert(n, n % 2 == 0))));
        assert_eq!((c.numbers(), stored(&f)), (vec![1], vec![1]));
    }
    std::fs::remove_dir(&tmp).unwrap();
    assert!(succeeds(&c.call("transact", insert(6, true))));
    assert_eq!((c.numbers(), stored(&f)), (vec![1, 6], vec![1, 6]));
}

#[test]
fn durable_transactions_that_wait_share_a_sync() {
    let (f, plan) = faulty();
    let mut c = f.client();
    let n = 100;
    let requests: String = (0..n)
        .map(|i| json!({"method": "transact", "id": i, "params": insert(i, true)}).to_string())
        .collect();
    io::Write::write_all(&mut c.stream, requests.as_bytes()).unwrap();
    for i in 0..n {
        let reply = Client::next(&mut c).unwrap();
        assert_eq!(reply["id"], i);
        assert!(succeeds(&reply));
    }
    assert_eq!(stored(&f).len(), n as usize);
    let n_syncs = plan.n_syncs.load(Ordering::Relaxed);
    assert!((1..=50).contains(&n_syncs), "{n_syncs} syncs for {n} transactions");
}

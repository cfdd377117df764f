//! The unixctl commands `ovsdb-server/*`.

use std::path::PathBuf;
use std::time::Duration;

use transport::unixctl::Registry;

use super::engine::Engine;
use super::remote::{ColumnName, resolve_column};
use super::run::Handle;
use crate::storage::Compaction;

type Answer = Result<String, String>;

/// How often a compaction that somebody waits for is looked at.
const COMPACT_POLL: Duration = Duration::from_millis(5);

/// Adds the commands.
pub fn register_commands(registry: &Registry, handle: &Handle) {
    let add = |name: &str,
               usage: &str,
               n: std::ops::RangeInclusive<usize>,
               f: fn(&mut Engine, &[String]) -> Answer| {
        let handle = handle.clone();
        registry.add(&format!("ovsdb-server/{name}"), usage, n, move |args: &[String]| {
            let args = args.to_vec();
            handle.call(move |engine| f(engine, &args))?
        });
    };
    add("add-remote", "REMOTE", 1..=1, add_remote);
    add("remove-remote", "REMOTE", 1..=1, remove_remote);
    add("list-remotes", "", 0..=0, list_remotes);
    add("add-db", "DB", 1..=1, add_db);
    add("remove-db", "DB", 1..=1, remove_db);
    add("list-dbs", "", 0..=0, list_dbs);
    let waiting = handle.clone();
    registry.add("ovsdb-server/compact", "", 0..=1, move |args: &[String]| compact(&waiting, args));
    add("memory-trim-on-compaction", "on|off", 1..=1, trim);
    add("reconnect", "", 0..=0, reconnect);
    add("perf-counters-show", "", 0..=0, show_counters);
    add("perf-counters-clear", "", 0..=0, clear_counters);
    add("get-db-storage-status", "DB", 1..=1, storage_status);
    add("disable-monitor-cond", "", 0..=0, disable_monitor_cond);
    add("tlog-set", "DB:TABLE on|off", 2..=2, tlog_set);
    add("tlog-list", "", 0..=0, tlog_list);
    add("set-active-ovsdb-server", "", 1..=1, set_active);
    add("get-active-ovsdb-server", "", 0..=0, |e, _| Ok(e.replication.active.clone().unwrap_or_default()));
    add("connect-active-ovsdb-server", "", 0..=0, connect_active);
    add("disconnect-active-ovsdb-server", "", 0..=0, disconnect_active);
    add("set-active-ovsdb-server-probe-interval", "", 1..=1, set_active_probe);
    add("set-sync-exclude-tables", "", 0..=1, set_excluded);
    add("get-sync-exclude-tables", "", 0..=0, |e, _| Ok(e.replication.excluded()));
    add("sync-status", "", 0..=0, |e, _| Ok(e.replication.status()));
}

fn add_remote(engine: &mut Engine, args: &[String]) -> Answer {
    let remote = args[0].clone();
    match ColumnName::parse(&remote) {
        Some(name) => {
            resolve_column(&engine.dbs, name).map_err(|e| format!("\"{remote}\": {e}"))?;
        }
        None if remote.starts_with("db:") => return Err(format!("\"{remote}\": invalid syntax")),
        // What cannot be read is complained of when it is started, as OVS does.
        None => {}
    }
    if !engine.remotes.configured.contains(&remote) {
        engine.remotes.configured.push(remote);
        engine.reconfigure_remotes();
    }
    Ok(String::new())
}

fn remove_remote(engine: &mut Engine, args: &[String]) -> Answer {
    let at = engine.remotes.configured.iter().position(|r| *r == args[0]).ok_or("no such remote")?;
    engine.remotes.configured.remove(at);
    engine.reconfigure_remotes();
    Ok(String::new())
}

fn lines(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.iter().map(|n| format!("{n}\n")).collect()
}

fn list_remotes(engine: &mut Engine, _: &[String]) -> Answer {
    Ok(lines(engine.remotes.configured.iter().cloned()))
}

fn add_db(engine: &mut Engine, args: &[String]) -> Answer {
    engine.open_database(&PathBuf::from(&args[0]), true).map_err(|e| e.to_string())?;
    engine.disconnect_unaware();
    engine.restart_replication();
    Ok(String::new())
}

fn remove_db(engine: &mut Engine, args: &[String]) -> Answer {
    engine.remove_database(&args[0])?;
    engine.restart_replication();
    Ok(String::new())
}

fn list_dbs(engine: &mut Engine, _: &[String]) -> Answer {
    Ok(lines(engine.dbs.keys().cloned()))
}

/// Starts compactions and waits for them on the caller's thread: clients are served meanwhile.
fn compact(handle: &Handle, args: &[String]) -> Answer {
    let name = args.first().cloned();
    if name.as_ref().is_some_and(|n| n.starts_with('_')) {
        return Err("cannot compact built-in databases".into());
    }
    let started = handle.call(move |e| e.start_compactions(name.as_deref()))?;
    for name in started.ok_or("no database by that name")? {
        loop {
            let name = name.clone();
            match handle.call(move |e| e.compaction_outcome(&name))? {
                Some(outcome) => break outcome?,
                None => std::thread::sleep(COMPACT_POLL),
            }
        }
    }
    Ok(String::new())
}

fn trim(_: &mut Engine, args: &[String]) -> Answer {
    match args[0].as_str() {
        "on" | "off" => Ok(String::new()),
        _ => Err("invalid argument".into()),
    }
}

fn reconnect(engine: &mut Engine, _: &[String]) -> Answer {
    engine.disconnect_all();
    Ok(String::new())
}

fn disable_monitor_cond(engine: &mut Engine, _: &[String]) -> Answer {
    engine.monitor_cond_disabled = true;
    engine.disconnect_all();
    Ok(String::new())
}

fn tlog_set(engine: &mut Engine, args: &[String]) -> Answer {
    let (db, table) = args[0].split_once(':').ok_or("invalid DB:TABLE argument")?;
    let schema = engine.dbs.get(db).ok_or("no such database")?.schema();
    schema.lookup(table).ok_or("no such table")?;
    let name = (db.to_owned(), table.to_owned());
    match args[1].as_str() {
        "on" => drop(engine.logged_tables.insert(name)),
        "off" => drop(engine.logged_tables.remove(&name)),
        _ => return Err("invalid command argument".into()),
    }
    Ok(String::new())
}

fn tlog_list(engine: &mut Engine, _: &[String]) -> Answer {
    let mut text = String::from("database        table                       logging\n");
    text += "--------        -----                       -------\n";
    for (db, served) in &engine.dbs {
        text += &format!("{db:<16} \n");
        let mut tables: Vec<&str> = served.schema().tables.iter().map(|t| t.name.as_str()).collect();
        tables.sort_unstable();
        for table in tables {
            let on = engine.logged_tables.contains(&(db.clone(), table.to_owned()));
            text += &format!("{:16}{table:<28}{}\n", "", if on { "ON" } else { "OFF" });
        }
    }
    Ok(text)
}

fn set_active(engine: &mut Engine, args: &[String]) -> Answer {
    engine.replication.active = Some(args[0].clone());
    Ok(String::new())
}

fn connect_active(engine: &mut Engine, _: &[String]) -> Answer {
    // As OVS: the complaint is not an error reply.
    Ok(engine.connect_active().map_or_else(str::to_owned, |()| String::new()))
}

fn disconnect_active(engine: &mut Engine, _: &[String]) -> Answer {
    engine.disconnect_active();
    Ok(String::new())
}

fn set_active_probe(engine: &mut Engine, args: &[String]) -> Answer {
    let Ok(ms) = args[0].parse::<i32>() else {
        return Ok("Invalid probe interval, integer value expected".into());
    };
    engine.replication.set_probe_interval(u64::try_from(ms).unwrap_or(0));
    Ok(String::new())
}

fn set_excluded(engine: &mut Engine, args: &[String]) -> Answer {
    engine.set_excluded_tables(args.first().map_or("", String::as_str));
    Ok(String::new())
}

fn show_counters(engine: &mut Engine, _: &[String]) -> Answer {
    let c = engine.counters;
    Ok(format!(
        "transactions: {}\nmerged updates: {}\ndropped sessions: {}\nfailed writes: {}\n",
        c.transactions, c.merged_updates, c.dropped_sessions, c.failed_writes
    ))
}

fn clear_counters(engine: &mut Engine, _: &[String]) -> Answer {
    engine.counters = Default::default();
    Ok(String::new())
}

fn storage_status(engine: &mut Engine, args: &[String]) -> Answer {
    if !engine.dbs.contains_key(&args[0]) {
        return Err("Failed to find the database.".into());
    }
    Ok("status: ok\n".into())
}

impl Engine {
    /// What memory/show counts, as OVS names it.
    pub fn memory(&self) -> Vec<(String, u64)> {
        let mut atoms = 0;
        let mut cells = 0;
        for db in self.dbs.values() {
            for (t, table) in db.schema().tables.iter().enumerate() {
                let rows = db.database.table(t);
                cells += rows.len() * table.columns.len();
                atoms += rows.rows().flat_map(|r| r.columns()).map(|d| d.len()).sum::<usize>();
            }
        }
        let monitors: usize = self.sessions.values().map(|s| s.monitors.len()).sum();
        let backlog: usize = self.sessions.values().map(|s| s.outbox.len()).sum();
        let history: usize = self.dbs.values().map(|db| db.history.len()).sum();
        let weak = self.dbs.values().map(|db| db.database.n_weak_refs()).sum();
        // As OVS: these always, the others where there are such.
        let always = [("atoms", atoms), ("cells", cells), ("monitors", monitors), ("n-weak-refs", weak)];
        let mut usage = vec![("sessions", self.sessions.len()), ("txn-history", history)];
        if backlog > 0 {
            usage.push(("backlog", backlog));
        }
        let running =
            self.dbs.values().filter(|db| db.compaction.as_ref().is_some_and(|c: &Compaction| !c.is_done()));
        usage.push(("compactions", running.count()));
        let others = usage.into_iter().filter(|(_, n)| *n > 0);
        always.into_iter().chain(others).map(|(k, n)| (k.to_owned(), n as u64)).collect()
    }
}

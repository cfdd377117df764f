//! `vswitch demo`: a whole switch in a private directory, beside any other on the machine: DPDK ports fed from a
//! capture, two vhost-user ports with a testpmd guest, two namespaces; shown at work, then removed.
//!
//! This file is the story; `stage` tells it, `cast` runs processes and takes them away, `scene` builds the switch.

mod cast;
mod scene;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use cast::Cast;
use scene::Scene;
use stage::Stage;

use super::{drops, top};

/// How long the switch is shown, unless told otherwise.
const SHOW_S: u64 = 10;

#[derive(clap::Args)]
pub struct Options {
    /// Leave the switch running, and say how to talk to it
    #[arg(long)]
    keep: bool,
    /// How long the switch is shown
    #[arg(long, value_name = "N", default_value_t = SHOW_S)]
    seconds: u64,
    /// Where the binaries are [default: beside this one]
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    /// End a switch that was kept
    #[arg(long, value_name = "DIR", conflicts_with = "keep")]
    stop: Option<PathBuf>,
}

/// Plays the demo, or ends one that was kept.
pub fn run(o: Options) -> Result<(), String> {
    if let Some(dir) = &o.stop {
        return cast::stop_kept(dir);
    }
    if !nix::unistd::geteuid().is_root() {
        return Err("the demo makes network namespaces and polls devices; run: sudo make demo".into());
    }
    let stage = Stage::new();
    let bin = match o.bin {
        Some(dir) => dir,
        None => own_directory()?,
    };
    let mut cast = Cast::new(bin, o.keep)?;
    play(&stage, &mut cast, o.seconds)?;
    if o.keep {
        cast.keep()?;
        println!("\nThe switch runs on. Talk to it with:\n");
        println!("    export OVS_RUNDIR={} PATH={}:$PATH", cast.dir().display(), cast.bin().display());
        println!("    ovs-vsctl --db=unix:$OVS_RUNDIR/db.sock show");
        println!("    ovs-ofctl dump-flows br0");
        println!("    vswitch top -t vswitchd.ctl");
        println!("\nand end it with:\n\n    vswitch demo --stop {}", cast.dir().display());
        return Ok(());
    }
    stage.step("cleaning up", || cast.clean())?;
    println!("\nThat was it. Nothing is left behind.");
    Ok(())
}

fn own_directory() -> Result<PathBuf, String> {
    let exe = std::env::current_exe().map_err(|e| format!("cannot find my own binary: {e}"))?;
    Ok(exe.parent().map(PathBuf::from).unwrap_or_default())
}

fn play(stage: &Stage, cast: &mut Cast, seconds: u64) -> Result<(), String> {
    println!("A switch of its own in {}\n", cast.dir().display());
    let memory = stage.step("looking for huge pages", || cast.memory())?;
    println!("  {memory}");
    let mut scene = Scene::new(cast);
    stage.step("starting ovsdb-server", || scene.start_database())?;
    stage.step("starting ovs-vswitchd, which prepares DPDK", || scene.start_switch())?;
    stage.step("a bridge with two DPDK ports, a capture of 1,000 flows replayed into one", || {
        scene.dpdk_ports()
    })?;
    stage.step("two vhost-user ports and a guest behind them (testpmd)", || scene.guest())?;
    stage.step("two namespaces behind veth ports, one pinging the other", || scene.namespaces())?;
    stage.step("waiting until every packet finds its way", || scene.settle())?;
    show(stage, &scene, seconds)?;
    println!("\nthe ping from namespace to namespace:");
    println!("{}", indent(&scene.ping_summary()?));
    println!("\novs-vsctl show:");
    println!("{}\n", indent(&scene.show()?));
    scene.verdict()
}

/// Ten seconds of what the switch does, second by second.
fn show(stage: &Stage, scene: &Scene, seconds: u64) -> Result<(), String> {
    println!("\nfor {seconds} seconds, what the switch does:\n");
    let socket = scene.control_socket();
    let mut watch = top::Watch::new(&socket)?;
    let mut frame = stage.frame();
    for second in 1..=seconds {
        std::thread::sleep(Duration::from_secs(1));
        cast::interrupted()?;
        let view = watch.look()?;
        let text = format!(
            "second {second} of {seconds}\n{}\n{}\n{}\n{}",
            top::threads_table(&view.threads),
            top::ports_table(&view.ports),
            drops::reasons(&view.drops),
            scene.last_ping(),
        );
        frame.draw(&text);
    }
    Ok(())
}

fn indent(text: &str) -> String {
    text.trim_end().lines().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n")
}

//! `vswitch`: our own front door (doctor, top, drops, demo). Thin: see `utilities::vswitch`.

fn main() -> std::process::ExitCode {
    utilities::vswitch::main(std::env::args().skip(1).collect())
}

//! `ovs-appctl`: see `utilities::appctl`.

fn main() -> std::process::ExitCode {
    utilities::appctl::main()
}

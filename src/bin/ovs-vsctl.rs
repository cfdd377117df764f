//! `ovs-vsctl`: see `utilities::vsctl`.

fn main() -> std::process::ExitCode {
    utilities::vsctl::main()
}

//! `ovs-ofctl`: see `utilities::ofctl`.

fn main() -> std::process::ExitCode {
    utilities::ofctl::main()
}

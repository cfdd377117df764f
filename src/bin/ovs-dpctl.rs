//! `ovs-dpctl`: see `utilities::dpctl`.

fn main() -> std::process::ExitCode {
    utilities::dpctl::main()
}

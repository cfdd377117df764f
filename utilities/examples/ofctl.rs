fn main() -> std::process::ExitCode {
    utilities::ofctl::main()
}

//! The `millrace` binary; what it does is in the library beside it.

fn main() {
    std::process::exit(millrace_app::cli::main());
}

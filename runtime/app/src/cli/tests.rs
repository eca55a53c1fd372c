use clap::CommandFactory as _;

use super::Cli;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// `docs/cli.md` is written from the command line's own help: `UPDATE_EXPECT=1 cargo test` writes it anew.
#[test]
fn the_reference_is_up_to_date() {
    let mut text = String::from("# The command line\n\nWritten from `millrace --help`.\n");
    let mut root = Cli::command().term_width(100);
    root.build();
    text.push_str(&section(&mut root));
    let names: Vec<String> = root
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    for name in names.iter().filter(|name| *name != "help") {
        text.push_str(&section(root.find_subcommand_mut(name).expect("it is one")));
    }
    expect_test::expect_file!["../../../../docs/cli.md"].assert_eq(&text);
}

fn section(command: &mut clap::Command) -> String {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end())
}

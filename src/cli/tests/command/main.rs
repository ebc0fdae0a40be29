//! The command as its users see it: exit codes, streams, formats, positions in error messages.

mod convert;
mod documents;
mod files;
mod formats;
mod litmus;
mod output;
mod replay;
mod run;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(args: &[&str]) -> Ran {
    ran(&mut command(args))
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
    let code = output.status.code().expect("it exits");
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn json(args: &[&str]) -> (i32, Value) {
    let Ran { code, stdout, stderr } = run(args);
    let value = serde_json::from_str(&stdout);
    (code, value.unwrap_or_else(|e| panic!("{args:?}: {e}\n{stdout}\n{stderr}")))
}

fn narrow(text: &str) {
    for line in text.lines().filter(|line| !line.starts_with("highwater replay hw1")) {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line}");
    }
}

//! Rules about what one file says of others: links, and dependencies between the packages.

use super::Source;

/// The links of a page to files that do not exist; addresses and places on the page are not asked.
pub(super) fn dead_links(page: &Source, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut offences = Vec::new();
    let mut fenced = false;
    for (index, line) in page.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        // Between backticks there are no links: keep what stands outside.
        let prose: String = line.split('`').step_by(2).collect();
        for target in prose.split("](").skip(1).filter(|_| !fenced) {
            let target = target.split([')', '#', ' ']).next().unwrap_or("");
            if target.is_empty() || target.contains(':') {
                continue;
            }
            let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
            for part in target.split('/') {
                match part {
                    "." | "" => {}
                    ".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            if !exists(&parts.join("/")) {
                offences.push(format!("{}:{}: no file at {target}", page.path, index + 1));
            }
        }
    }
    offences
}

/// The packages of ours that a manifest names, as dependency of any kind, and must not.
pub(super) fn arrows(manifest: &Source) -> Vec<String> {
    let allowed: &[&str] = match manifest.path.as_str() {
        "src/vfs/Cargo.toml" | "src/formats/Cargo.toml" => &[],
        "src/store/Cargo.toml" | "sim/Cargo.toml" => &["highwater-vfs"],
        "models/shuttle/Cargo.toml" => &["highwater-vfs"],
        "src/service/Cargo.toml" => &["highwater-vfs", "highwater"],
        "src/raft/Cargo.toml" => &["highwater-raft", "highwater-vfs", "highwater"],
        "models/Cargo.toml" => {
            // The last two are the store and the service again, for a scheduler of threads.
            &[
                "highwater-vfs",
                "highwater",
                "highwater-raft",
                "highwater-sim",
                "highwater-shuttle",
                "highwater-shuttle-service",
            ]
        }
        _ => return Vec::new(),
    };
    let mut dependencies = false;
    let mut offences = Vec::new();
    for (index, line) in manifest.text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.starts_with('[') {
            dependencies = line.contains("dependencies");
        }
        // A name of ours, as a key, in a heading, in `package = ".."` or in a path.
        let names = line
            .split(|c: char| !(c.is_alphanumeric() || c == '-'))
            .filter(|name| *name == "highwater" || name.starts_with("highwater-"));
        // The generator of properties depends on none of ours.
        let names = names.filter(|name| *name != "highwater-tests");
        for name in names.filter(|name| dependencies && !allowed.contains(name)) {
            let text = format!("depends on {name}; it may only on {allowed:?}");
            offences.push(format!("{}:{}: {text}", manifest.path, index + 1));
        }
        if dependencies && line.contains("path =") {
            let text = "a dependency by path: take it from the workspace";
            offences.push(format!("{}:{}: {text}", manifest.path, index + 1));
        }
    }
    offences
}

mod samples {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn dead_links_are_found() {
        let exists = |path: &str| ["docs/a.md", "src/vfs/lib.rs", "README.md"].contains(&path);
        let good = "[a](a.md) [b](../src/vfs/lib.rs#L3) [c](#here) [d](https://x.org/y) `[e](no)`\n\
                    ```\n[f](no)\n```\n[g](../README.md \"title\")";
        assert_eq!(dead_links(&source("docs/p.md", good), exists), [""; 0]);
        let bad = "ok\n[a](a.md) and [b](b.md#x), [c](../lib.rs)";
        assert_eq!(
            dead_links(&source("docs/p.md", bad), exists),
            ["docs/p.md:2: no file at b.md", "docs/p.md:2: no file at ../lib.rs"]
        );
    }

    #[test]
    fn arrows_upwards_are_found() {
        let head = "[package]\nname = \"highwater-sim\"\n\n[dependencies]\n";
        let good = format!("{head}highwater-vfs.workspace = true # not highwater\nrand = \"1\"\n");
        assert!(arrows(&source("sim/Cargo.toml", &good)).is_empty());
        for bad in [
            "highwater.workspace = true",
            "highwater = { workspace = true }",
            "store = { package = \"highwater\", version = \"1\" }",
            "[dev-dependencies]\nhighwater-models.workspace = true",
            "[target.'cfg(unix)'.dependencies.highwater]",
            "store = { path = \"../src/store\" }",
        ] {
            let found = arrows(&source("sim/Cargo.toml", &format!("{head}{bad}\n")));
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
        }
        let sim = "[dependencies]\nhighwater-sim.workspace = true\n";
        assert_eq!(arrows(&source("src/store/Cargo.toml", sim)).len(), 1);
        assert_eq!(arrows(&source("src/vfs/Cargo.toml", sim)).len(), 1);
        assert!(arrows(&source("models/Cargo.toml", sim)).is_empty());
    }
}

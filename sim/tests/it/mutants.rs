//! The mutants of the simulator still fit its sources: `sim/tests/mutants/run` kills them, which
//! takes minutes; that each can be made at all takes none.

use std::fs;
use std::path::Path;

/// The lines between two lines.
fn part<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let start = text.find(&format!("\n{from}\n")).unwrap_or_else(|| panic!("no {from:?}"));
    let rest = &text[start + from.len() + 2..];
    rest[..rest.find(to).unwrap_or_else(|| panic!("no {to:?}"))].trim_end_matches('\n')
}

fn value<'t>(text: &'t str, key: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap_or_else(|| panic!("no {key:?}")).trim()
}

#[test]
fn each_can_be_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut count = 0;
    for entry in fs::read_dir(root.join("sim/tests/mutants")).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()?.strip_suffix(".txt")) else {
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        let (old, new) = (part(&text, "--- old", "--- new"), part(&text, "--- new", "--- end"));
        let source = value(&text, "file: ");
        let times = fs::read_to_string(root.join(source)).unwrap().matches(old).count();
        assert_eq!(times, 1, "{name}: its text must be in {source} once");
        assert!(!old.is_empty() && old != new, "{name} changes nothing");
        assert!(value(&text, "tests: ").starts_with("highwater-"), "{name}: which tests?");
        assert!(text.lines().next().is_some_and(|title| title.ends_with('.')), "{name}: a title");
        count += 1;
    }
    assert!(count >= 18, "only {count} mutants");
}

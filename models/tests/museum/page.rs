//! Pages of the docs of which a part is made by a test.

use highwater_sim::Model;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Asserts that a page of the docs has these texts between the marks of these names; with
/// `UPDATE_DOCS` set, writes them there.
pub(crate) fn is_up_to_date(page: &str, parts: &[(&str, String)]) {
    let path = root().join("docs").join(page);
    let old = std::fs::read_to_string(&path).expect("the page is there");
    let new = parts.iter().fold(old.clone(), |page, (name, text)| between(&page, name, text));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &new).expect("the page can be written");
    } else {
        let differ = old.lines().zip(new.lines()).find(|(old, new)| old != new);
        let how = "run it again with UPDATE_DOCS=1";
        assert!(old == new, "docs/{page} is not what the engines say: {how}\n{differ:#?}");
    }
}

/// `page` with `text` between the two marks of that name.
fn between(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = page.split_once(&begin).expect("the page has the mark");
    let (_, after) = rest.split_once(&end).expect("the page has the mark of the end");
    format!("{before}{begin}{text}{end}{after}")
}

/// The models under which something shows, as the pages abbreviate them.
pub(crate) fn letters(shows: &[Model]) -> String {
    if shows == Model::ALL {
        return "all".into();
    }
    let letter = |model: &Model| match model {
        Model::Posix => "P",
        Model::Ext4Writeback => "W",
        Model::Ext4Ordered => "O",
        Model::Ext4Journal => "J",
        Model::Xfs => "X",
        Model::Btrfs => "B",
        Model::Strict => "S",
        other => panic!("{other} has no letter yet"),
    };
    shows.iter().map(letter).collect()
}

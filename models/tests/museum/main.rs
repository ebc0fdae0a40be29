//! The museum: every bug is found where it shows and nowhere else, every twin holds, and every
//! counterexample is small, walks again, and spares the twin.

mod judge;
mod matrix;
mod page;

use highwater_models::museum::PIECES;
use judge::judge;

/// One test a class, so that they run side by side and can be run alone.
macro_rules! classes {
    ($($name:ident)*) => {
        $(#[test] fn $name() { judge_class(stringify!($name)); })*
        const CLASSES: &[&str] = &[$(stringify!($name)),*];
    };
}

classes! {
    ack atom bit ckpt del dir dup err frame hole ioe keep port race rec rot stale sync tail time vis
}

fn judge_class(class: &str) {
    for piece in PIECES.iter().filter(|piece| class_of(piece.bug) == class) {
        judge(piece);
    }
}

fn class_of(bug: &str) -> String {
    bug.split('-').next().unwrap_or_default().to_lowercase()
}

#[test]
fn every_piece_is_of_a_class_that_is_judged() {
    for piece in PIECES {
        assert!(CLASSES.contains(&class_of(piece.bug).as_str()), "{}", piece.bug);
    }
}

//! What a path may look like (V1), once for every implementation.

use std::io::{self, ErrorKind};
use std::path::Path;

/// Checks a path against V1 and returns its text; the root of the tree is the empty path.
///
/// A path is UTF-8, relative, separated by `/`, and has no component that is empty, `.` or `..`:
/// so `a//b`, `a/` and `./a` are refused too, and each file has exactly one path. A NUL byte is
/// refused because no system call could carry it. Only the text is judged: whether something of
/// that name exists, and whether it is a symbolic link, is for the implementation to see.
///
/// # Errors
/// `InvalidInput`, naming the path and the rule that it breaks.
///
/// # Example
/// ```
/// use highwater_vfs::check_path;
/// use std::path::Path;
///
/// assert_eq!(check_path(Path::new("log/1")).unwrap(), "log/1");
/// assert_eq!(check_path(Path::new("")).unwrap(), "");
/// assert!(check_path(Path::new("log/../../etc/passwd")).is_err());
/// ```
pub fn check_path(path: &Path) -> io::Result<&str> {
    let refuse = |rule: &str| {
        let text = format!("{}: {rule} (V1)", path.display());
        Err(io::Error::new(ErrorKind::InvalidInput, text))
    };
    let Some(text) = path.to_str() else { return refuse("a path is UTF-8") };
    if text.is_empty() {
        return Ok(text);
    }
    if text.starts_with('/') || path.is_absolute() {
        return refuse("a path is relative to the root");
    }
    if text.contains('\0') {
        return refuse("a path has no NUL byte");
    }
    for component in text.split('/') {
        match component {
            "" => return refuse("a path has no empty component and no trailing slash"),
            "." | ".." => return refuse("a path has no component '.' or '..'"),
            _ => {}
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::check_path;
    use std::io::ErrorKind;
    use std::path::Path;

    #[test]
    fn accepts_the_root_names_and_nested_names() {
        for good in
            ["", "a", "a/b", "a/b/c", "...", "a..b", ".hidden", "..x", "a b", "名前", "a\\b"]
        {
            assert_eq!(check_path(Path::new(good)).unwrap(), good);
        }
    }

    #[test]
    fn refuses_each_form_with_its_rule() {
        for (bad, rule) in [
            ("/", "relative"),
            ("/a", "relative"),
            ("//a", "relative"),
            ("a/", "empty component"),
            ("a//b", "empty component"),
            (".", "'.' or '..'"),
            ("..", "'.' or '..'"),
            ("./a", "'.' or '..'"),
            ("a/.", "'.' or '..'"),
            ("a/..", "'.' or '..'"),
            ("a/../b", "'.' or '..'"),
            ("a\0b", "NUL"),
        ] {
            let error = check_path(Path::new(bad)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad:?}");
            assert!(error.to_string().contains(rule), "{bad:?}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn refuses_what_is_not_utf8() {
        use std::os::unix::ffi::OsStrExt;
        let bad = Path::new(std::ffi::OsStr::from_bytes(b"a\xff"));
        let error = check_path(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("UTF-8"), "{error}");
    }
}

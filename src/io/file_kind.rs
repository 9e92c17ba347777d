//! Names files that are not what their name promises: a failed download, an archive, a link. Each kind comes with what to
//! do, so that every reader ends in the same sentence.

use crate::error::{Error, Result};
use std::path::Path;

/// Bytes of the start that are searched for the signs of a web page.
const START: usize = 512;
/// The longest path that a link can hold, in bytes.
const LONGEST_LINK: usize = 4096;

/// The error of a file whose content is none that any reader of this program accepts; `None` otherwise. An archive is a
/// kind of its own, as PyTorch's weights are ZIP files: see [`archive`].
pub fn foreign(path: &Path, bytes: &[u8]) -> Option<Error> {
    let again = "download it again";
    let message = match bytes {
        [] => format!("is empty: {again}, or write it anew"),
        _ if bytes.iter().all(|byte| *byte == 0) => {
            format!("holds only zero bytes, as an interrupted download does: {again}")
        }
        _ if is_web_page(bytes) => format!(
            "is a web page, as a failed download leaves it (a quota, a login or an error): {again}, and look at it in a \
             browser to see why it failed"
        ),
        _ if bytes.starts_with(b"version https://git-lfs.github.com/spec/") => {
            "is a pointer of Git LFS, not the file itself: run `git lfs pull` in its repository".to_owned()
        }
        _ if is_link(path, bytes) => format!(
            "holds only the path {:?}: it is a symbolic link that was checked out or copied as text; put the file itself \
             here",
            String::from_utf8_lossy(bytes).trim()
        ),
        _ => return None,
    };
    Some(Error::file(path, message))
}

/// The name of the archive format that `bytes` start with.
pub fn archive(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "a ZIP archive",
        [0x1f, 0x8b, ..] => "a gzip archive",
        [b'R', b'a', b'r', b'!', ..] => "a RAR archive",
        [b'7', b'z', 0xbc, 0xaf, ..] => "a 7z archive",
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "a bzip2 archive",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "an xz archive",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a Zstandard archive",
        _ if bytes.get(257..262) == Some(b"ustar") => "a tar archive",
        _ => return None,
    })
}

/// Refuses what is no text, for the reader of a text file.
///
/// # Errors
/// The content is foreign, an archive, of another encoding, or binary.
pub fn check_text(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(error) = foreign(path, bytes) {
        return Err(error);
    }
    let message = match bytes {
        _ if let Some(archive) = archive(bytes) => format!("is {archive}: unpack it, and give the file inside"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is UTF-16 text: save it as UTF-8".to_owned(),
        [b'P', b'A', b'R', b'1', ..] => "is a Parquet file: a text file was expected".to_owned(),
        _ if is_utf16(bytes) => "is UTF-16 text without a byte order mark: save it as UTF-8".to_owned(),
        _ if memchr::memchr(0, bytes).is_some() => {
            "is binary data (it has a zero byte): a text file was expected".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Error::file(path, message))
}

/// Returns whether `bytes` are a web page.
pub fn is_web_page(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(START)]).trim_start().to_lowercase();
    let opens = ["<!doctype html", "<html", "<head", "<body", "<script", "<meta", "<title"];
    // Some servers put a comment or an XML declaration first.
    let hides = ["<!--", "<?xml"].iter().any(|open| start.starts_with(open)) && start.contains("<html");
    opens.iter().any(|open| start.starts_with(open)) || hides
}

/// Returns whether `bytes` are one path that ends in a file name with an extension. Git writes links so where it cannot
/// create them.
fn is_link(path: &Path, bytes: &[u8]) -> bool {
    if bytes.len() > LONGEST_LINK {
        return false;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let text = text.trim_end_matches(['\r', '\n']);
    let target = Path::new(text);
    let is_path = text.starts_with(['/', '.']) || text.contains('/') || text.contains('\\');
    let is_named_alike = target.extension().is_some() && target.extension() == path.extension();
    is_path && is_named_alike && !text.contains(|c: char| c.is_control() || matches!(c, ',' | ';' | '=' | '"' | '{'))
}

/// Returns whether `bytes` look like UTF-16: half of the first characters are ASCII beside a zero byte.
fn is_utf16(bytes: &[u8]) -> bool {
    let pairs = bytes[..bytes.len().min(START)].chunks_exact(2);
    let (count, ascii) = (pairs.len(), pairs.filter(|pair| (pair[0] == 0) != (pair[1] == 0)).count());
    count >= 4 && 2 * ascii > count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_named_with_what_to_do() {
        let utf16: Vec<u8> = "image_id,Male\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked: Vec<u8> = [&[0xff, 0xfe], &utf16[..]].concat();
        let mut tar = vec![b'x'; 600];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], &str); 19] = [
            (b"", "is empty: download it again"),
            (&[0; 64], "holds only zero bytes"),
            (b"\n<!DOCTYPE html><html>", "is a web page"),
            (b"\xEF\xBB\xBF<HTML><body>", "is a web page"),
            (b"<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC><html>", "is a web page"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n", "run `git lfs pull`"),
            (b"../Anno/list.txt", "is a symbolic link"),
            (b"/data/celeba/list.txt\n", "is a symbolic link"),
            (b"PK\x03\x04\x14", "is a ZIP archive: unpack it"),
            (b"\x1f\x8b\x08", "is a gzip archive"),
            (b"Rar!\x1a\x07\0", "is a RAR archive"),
            (b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
            (b"BZh91AY", "is a bzip2 archive"),
            (b"\xfd7zXZ\0", "is an xz archive"),
            (&tar, "is a tar archive"),
            (&marked, "is UTF-16 text: save it as UTF-8"),
            (&utf16, "is UTF-16 text without a byte order mark"),
            (b"PAR1\x15", "is a Parquet file"),
            (b"a\0b", "is binary data"),
        ];
        for (bytes, words) in cases {
            let error = check_text(Path::new("list.txt"), bytes).unwrap_err();
            assert!(error.to_string().starts_with("list.txt: ") && error.to_string().contains(words), "{error}");
            assert_eq!((error.exit_code(), error.to_string().lines().count()), (2, 1), "{error}");
        }
    }

    #[test]
    fn text_is_text() {
        for text in
            ["000001.jpg 0\n", "Ann/Ann_0001.jpg,train", "[network]\ninput_size = 64\n", "name", "{\"a\": 1}", "6\n"]
        {
            check_text(Path::new("list.txt"), text.as_bytes()).unwrap();
        }
    }
}

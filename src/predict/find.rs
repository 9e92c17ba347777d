//! Finds image files below folders.

use crate::error::{Error, Result};
use crate::io;
use std::path::{Path, PathBuf};

/// File name extensions of images in a folder.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// The image files that `paths` name, in their order. A folder stands for all JPEG and PNG files below it, sorted by name.
///
/// # Errors
/// A folder without images, or a missing file.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let images = io::files_below(path, is_image)?;
            if images.is_empty() {
                let message = format!("holds no image: expected files that end in .{}", EXTENSIONS.join(", ."));
                return Err(Error::file(path, message));
            }
            found.extend(images);
        } else if path.is_file() {
            found.push(path.clone());
        } else if path.exists() {
            return Err(Error::file(path, "is not a file: name JPEG or PNG files, or folders of them"));
        } else {
            return Err(Error::file(path, "does not exist: name JPEG or PNG files, or folders of them"));
        }
    }
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_have_an_end_and_each_image_comes_once() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("z")).unwrap();
        for name in ["face.jpg", "z/other.JPG", "._face.jpg", "z/Thumbs.db"] {
            std::fs::write(at(name), b"").unwrap();
        }
        for (target, link) in [(".", "self"), (".", "self2"), ("z", "a"), ("..", "z/up"), ("nowhere", "lost")] {
            symlink(target, at(link)).unwrap();
        }
        assert_eq!(find(&[folder.path().to_path_buf()]).unwrap(), [at("face.jpg"), at("z/other.JPG")]);
    }

    #[test]
    fn a_folder_gives_its_images_by_name_and_one_without_any_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("b.PNG"), folder.path().join("a/z.jpeg"));
        std::fs::create_dir(folder.path().join("a")).unwrap();
        for path in [&first, &second, &folder.path().join("notes.txt")] {
            std::fs::write(path, b"").unwrap();
        }
        assert_eq!(find(&[folder.path().to_path_buf()]).unwrap(), [second.clone(), first]);
        std::fs::remove_file(second).unwrap();
        assert!(find(&[folder.path().join("a")]).unwrap_err().to_string().contains("holds no image"));
    }
}

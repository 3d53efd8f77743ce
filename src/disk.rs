//! Regular files, where somebody else may have put something in their place: a link that leads elsewhere, a FIFO that is waited
//! for without end, a device that is read without end, a folder.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Whether a link to a regular file is as good as the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    Follow,
    Refuse,
}

/// What is there itself, not what it leads to; `None` for nothing.
///
/// # Errors
/// As the system says.
pub fn kind(path: &Path) -> io::Result<Option<FileType>> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(found.file_type())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Opens a regular file to read it.
///
/// # Errors
/// `InvalidInput`, saying what stands in its place; otherwise as the system says.
pub fn open(file: &Path, links: Links) -> io::Result<File> {
    let found = match links {
        Links::Follow => file.metadata()?,
        Links::Refuse => file.symlink_metadata()?,
    };
    require_regular(found.file_type())?;
    open_with(OpenOptions::new().read(true), file, links)
}

/// Opens a file that is made where it is missing, to write it; never one that a link leads to.
///
/// # Errors
/// As [`open`].
pub fn open_or_make(file: &Path, options: &mut OpenOptions) -> io::Result<File> {
    if let Some(found) = kind(file)? {
        require_regular(found)?;
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    open_with(options.create(true), file, Links::Refuse)
}

/// Reads a regular file, if it is not larger than `limit`.
///
/// # Errors
/// As [`open`], and `FileTooLarge`.
pub fn read(file: &Path, links: Links, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(file, links)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("it is larger than {} MiB", limit >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// What has taken the file's place since it was looked at is neither followed nor waited for.
fn open_with(options: &mut OpenOptions, file: &Path, links: Links) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        if links == Links::Refuse {
            flags |= OFlags::NOFOLLOW;
        }
        options.custom_flags(flags.bits().cast_signed());
    }
    let open = options.open(file)?;
    require_regular(open.metadata()?.file_type())?;
    Ok(open)
}

fn require_regular(found: FileType) -> io::Result<()> {
    let what = match () {
        () if found.is_file() => return Ok(()),
        () if found.is_symlink() => "a link",
        () if found.is_dir() => "a folder",
        () => "a FIFO, a socket or a device",
    };
    let message = format!("it is {what}, not a regular file");
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_but_a_regular_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "12345").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(at("fifo"))
            .status();
        assert!(made.unwrap().success());
        let read = |name: &str, links, limit| read(&at(name), links, limit).map_err(|e| e.kind());
        assert_eq!(read("file", Links::Refuse, 5).unwrap(), b"12345");
        assert_eq!(read("link", Links::Follow, 5).unwrap(), b"12345");
        assert_eq!(read("file", Links::Refuse, 4), Err(ErrorKind::FileTooLarge));
        assert_eq!(read("none", Links::Refuse, 4), Err(ErrorKind::NotFound));
        for (name, links) in [
            ("link", Links::Refuse),
            ("folder", Links::Refuse),
            ("fifo", Links::Refuse),
            ("zero", Links::Refuse),
            ("zero", Links::Follow),
        ] {
            assert_eq!(read(name, links, 5), Err(ErrorKind::InvalidInput), "{name}");
        }
        for name in ["link", "folder", "fifo"] {
            let opened = open_or_make(&at(name), OpenOptions::new().read(true).write(true));
            assert_eq!(
                opened.unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{name}"
            );
        }
        open_or_make(&at("new"), OpenOptions::new().append(true)).unwrap();
        assert_eq!(fs::read(at("new")).unwrap(), b"");
    }
}

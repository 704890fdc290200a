//! What `--archive` names: a folder, or a bucket and a prefix in it.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where an archive is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A folder of a bucket.
    Bucket(Address<'a>),
}

/// `s3://bucket/prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    pub scheme: &'a str,
    pub bucket: &'a str,
    /// Without slashes at its ends; may be empty.
    pub prefix: &'a str,
    /// All of it, as it was given.
    pub url: &'a str,
}

/// Schemes of buckets.
pub(super) const SCHEMES: [&str; 3] = ["s3", "gs", "az"];

/// Whether a path names a bucket, and no folder.
pub fn is_bucket(path: &Path) -> bool {
    matches!(parse(path), Ok(Place::Bucket(_)) | Err(_))
}

/// The path without `file://`, where it has that.
///
/// # Errors
/// As of every address that is none: wrong usage.
pub fn plain(path: &Path) -> Result<PathBuf> {
    Ok(match parse(path)? {
        Place::Folder(folder) => folder,
        Place::Bucket(_) => path.to_path_buf(),
    })
}

/// What a path names. `file:///path` is that path.
///
/// # Errors
/// A scheme that is not known; no bucket; a prefix with an empty part, `.` or `..`: wrong usage.
pub(super) fn parse(path: &Path) -> Result<Place<'_>> {
    let folder = || Ok(Place::Folder(path.to_path_buf()));
    let Some(url) = path.to_str() else {
        return folder();
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return folder();
    };
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return folder();
    }
    if scheme == "file" {
        return match rest.starts_with('/') {
            true => Ok(Place::Folder(PathBuf::from(rest))),
            false => {
                Err(Error::usage(url, "names another machine").hint("file:///path is the folder /path of this one"))
            }
        };
    }
    let known = SCHEMES.contains(&scheme) || (cfg!(test) && scheme == "memory");
    if !known {
        return Err(Error::usage(url, format_args!("diurnal knows no `{scheme}:` archives"))
            .hint("give a folder, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"));
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    if bucket.is_empty() {
        return Err(Error::usage(url, "names no bucket").hint(format_args!("{scheme}://BUCKET/PREFIX")));
    }
    if !prefix.is_empty() && prefix.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Error::usage(
            url,
            "has an empty part, `.` or `..`, which are no folders of a bucket",
        ));
    }
    Ok(Place::Bucket(Address {
        scheme,
        bucket,
        prefix,
        url,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(url: &str) -> (String, String) {
        match parse(Path::new(url)) {
            Ok(Place::Bucket(found)) => (found.bucket.to_owned(), found.prefix.to_owned()),
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn buckets_are_told_from_folders() {
        for folder in ["archive", "/srv/archive", "./s3:", "s3:/bucket/x", "a b://c", "://x"] {
            assert_eq!(
                parse(Path::new(folder)),
                Ok(Place::Folder(PathBuf::from(folder))),
                "{folder}"
            );
        }
        assert_eq!(
            parse(Path::new("file:///srv/a")),
            Ok(Place::Folder(PathBuf::from("/srv/a")))
        );
        assert_eq!(bucket("s3://b"), ("b".into(), String::new()));
        assert_eq!(bucket("s3://b/"), ("b".into(), String::new()));
        assert_eq!(bucket("gs://b/x/y/"), ("b".into(), "x/y".into()));
        assert_eq!(bucket("az://b/x%2F y"), ("b".into(), "x%2F y".into()));
    }

    #[test]
    fn what_is_neither_is_wrong_usage() {
        for url in [
            "http://b/x",
            "S3://b/x",
            "s3://",
            "s3:///x",
            "s3://b/x//y",
            "s3://b/../y",
            "s3://b/.",
            "file://x/y",
        ] {
            let error = parse(Path::new(url)).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage, "{url}");
        }
    }
}

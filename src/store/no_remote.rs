//! What stands for archives in buckets where diurnal was built without the feature `object-store`: there are none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::Manifest;
use super::place::Address;
use super::settings::Requested;
use crate::error::{Error, Result};

/// Nothing can be one.
#[derive(Debug)]
pub(super) enum Remote {}

/// Nothing can be one.
#[derive(Debug)]
pub(super) enum Uploaded {}

pub(super) mod record {
    /// Commits of a segment.
    pub(in crate::store) const RECORDS: u64 = 64;
}

impl Remote {
    pub fn at(address: Address<'_>) -> Result<Arc<Self>> {
        Err(
            Error::usage(address.url, "this diurnal was built without archives in buckets")
                .hint("build it with the feature `object-store`, which is on by default"),
        )
    }

    pub fn folder(&self) -> &Path {
        match *self {}
    }

    pub fn url(&self) -> &str {
        match *self {}
    }

    pub fn fetch(&self, _: &str) -> Result<PathBuf> {
        match *self {}
    }

    pub fn fetch_recorded(&self, _: &str, _: Option<u64>) -> Result<PathBuf> {
        match *self {}
    }

    pub fn release(&self, _: &str) {
        match *self {}
    }

    pub fn has_moved_on(&self) -> Result<bool> {
        match *self {}
    }

    pub fn exists(&self) -> Result<bool> {
        match *self {}
    }

    pub fn pending(&self) -> Option<(u64, Vec<String>, Vec<String>)> {
        match *self {}
    }

    pub fn files(&self) -> Result<Vec<String>> {
        match *self {}
    }

    pub fn put_last_run(&self, _: &[u8]) -> Result<()> {
        match *self {}
    }

    pub fn read(&self) -> Result<bool> {
        match *self {}
    }

    pub fn begin(&self, _: &Requested) -> Result<(Option<u64>, usize)> {
        match *self {}
    }

    pub fn fetch_segments(&self) -> Result<()> {
        match *self {}
    }

    pub fn check_replaced(&self, _: &str, _: Option<u64>) -> Result<()> {
        match *self {}
    }

    pub fn upload(&self, _: &Manifest, _: &Path) -> Result<Uploaded> {
        match *self {}
    }

    pub fn put_record(&self, _: &Uploaded, _: &[u8]) -> Result<()> {
        match *self {}
    }

    pub fn carry_out(&self, _: &Uploaded) -> Result<()> {
        match *self {}
    }
}

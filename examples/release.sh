#!/usr/bin/env bash
# Makes what is handed out, from this checkout, in target/release-files: a Debian package for this Debian and later ones; the program that
# needs no library, in an archive with its manual pages and completions; the files of a container; and the wheel of the Python package.
# Usage: examples/release.sh
#
# Needs what cargo build needs, musl-gcc, Rust's musl target, cargo-deb, and Python with venv, which gets maturin from PyPI:
#   apt-get install musl-tools python3-venv && rustup target add x86_64-unknown-linux-musl && cargo install --locked cargo-deb
# .ci/package runs this and tries what comes out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$(uname -m)-unknown-linux-musl
built=target/$target/release/diurnal
out=target/release-files
export PATH="$PWD/target/tools/bin:$PATH"

fail() {
    echo "release.sh: $*" >&2
    exit 1
}
command -v musl-gcc >/dev/null || fail "musl-gcc is missing (on Debian: apt-get install musl-tools)"
cargo deb --version >/dev/null 2>&1 || fail "cargo-deb is missing: cargo install --locked cargo-deb"
[[ -d $(rustc --print sysroot)/lib/rustlib/$target ]] || fail "Rust's library for musl is missing: rustup target add $target"

# For the package, against the C library of this machine: a quarter less work than with musl.
cargo build --release --locked
# With musl the C library is in the program too: it runs on any Linux of this architecture, whatever its age. librdkafka asks for CC, the
# others for the target's own.
env CC=musl-gcc "CC_${target//-/_}=musl-gcc" cargo build --release --locked --target "$target"
# Cargo does not see that another CC was meant once; headers of one C library and code of another may seem to go together.
grep -qs 'musl-gcc' "target/$target"/release/build/rdkafka-sys-*/out/Makefile.config ||
    fail "librdkafka was built without musl-gcc before: cargo clean --release --target $target --package rdkafka-sys"

rm -rf "$out"
mkdir -p "$out/completions" "$out/container"/{root/usr/bin,root/etc/ssl/certs,own/archive,own/tmp}
"$built" man -q --output "$out/man"
"$built" completions bash >"$out/completions/diurnal.bash"
"$built" completions zsh >"$out/completions/_diurnal"
"$built" completions fish >"$out/completions/diurnal.fish"

number=$("$built" --version | cut -d' ' -f2)
name=diurnal-$number-$target
mkdir "$out/$name"
# Names of functions stay, for the report of a bug; lines of sources, three quarters of the file, go.
strip --strip-debug -o "$out/$name/diurnal" "$built"
cp -r "$out/man" "$out/completions" "$out/$name/"
git ls-files -z README.md CHANGELOG.md 'LICENSE-*' docs queries examples | xargs -0 cp --parents --target-directory "$out/$name"
tar --create --gzip --file "$out/$name.tar.gz" --directory "$out" --owner 0 --group 0 --numeric-owner --sort name "$name"

cp "$out/$name/diurnal" "$out/container/root/usr/bin/"
cp /etc/ssl/certs/ca-certificates.crt "$out/container/root/etc/ssl/certs/"
chmod 1777 "$out/container/own/tmp"

cargo deb --quiet --no-build --strip --output "$out"

# One wheel for every CPython from 3.10 on. maturin gives it the oldest manylinux tag that its symbols allow: that of this machine's glibc. For an
# older one build on an older system, or in the containers of manylinux.
maturin=target/tools/maturin
[[ -x $maturin/bin/maturin ]] || { python3 -m venv "$maturin" && "$maturin/bin/pip" install --quiet maturin==1.16.0; }
"$maturin/bin/maturin" build --release --locked --strip --out "$out" --manifest-path python/Cargo.toml

# The newest version of glibc that a program names, or nothing.
needs_of_glibc() { objdump -T "$1" 2>/dev/null | sed -n 's/.*(\?GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n 1; }
for program in "$out/$name/diurnal" target/release/diurnal; do
    glibc=$(needs_of_glibc "$program")
    echo "$program: $("$program" --version), needs ${glibc:+glibc }${glibc:-no library}"
done
(cd "$out" && du -b --apparent-size "$name/diurnal" ./*.tar.gz ./*.deb ./*.whl && sha256sum ./*.tar.gz ./*.deb ./*.whl >SHA256SUMS)

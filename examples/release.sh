#!/usr/bin/env bash
# Makes what is handed out, from this checkout, in target/release-files: the program that needs no library, in an archive with its manual
# pages and completions; a Debian package of it; and the files of a container. Usage: examples/release.sh
#
# Needs what cargo build needs, musl-gcc, Rust's musl target and cargo-deb:
#   apt-get install musl-tools && rustup target add x86_64-unknown-linux-musl && cargo install --locked cargo-deb
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

# With musl the C library is in the program too: it runs on any Linux of this architecture, whatever its age. librdkafka asks for CC, the
# others for the target's own.
CC=musl-gcc "CC_${target//-/_}=musl-gcc" cargo build --release --locked --target "$target"

rm -rf "$out"
mkdir -p "$out/completions" "$out/container"/{usr/bin,etc/ssl/certs,archive,tmp}
"$built" man -q --output "$out/man"
"$built" completions bash >"$out/completions/diurnal.bash"
"$built" completions zsh >"$out/completions/_diurnal"
"$built" completions fish >"$out/completions/diurnal.fish"

number=$("$built" --version | cut -d' ' -f2)
name=diurnal-$number-$target
mkdir "$out/$name"
# Names of functions stay, for the report of a bug; lines of sources, three quarters of the file, go.
strip --strip-debug -o "$out/$name/diurnal" "$built"
cp -r README.md CHANGELOG.md LICENSE-* docs queries examples "$out/man" "$out/completions" "$out/$name/"
tar --create --gzip --file "$out/$name.tar.gz" --directory "$out" --owner 0 --group 0 --numeric-owner --sort name "$name"

cp "$out/$name/diurnal" "$out/container/usr/bin/"
cp /etc/ssl/certs/ca-certificates.crt "$out/container/etc/ssl/certs/"
chmod 1777 "$out/container/tmp"
# That of the Containerfile: its user owns the archive.
if ((EUID == 0)); then chown 65532:65532 "$out/container/archive"; else chmod 1777 "$out/container/archive"; fi

cargo deb --quiet --no-build --strip --target "$target" --output "$out"

# What of glibc a program needs, the newest version that it names, or nothing.
needs_of_glibc() { objdump -T "$1" 2>/dev/null | sed -n 's/.*(\?GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n 1; }
glibc=$(needs_of_glibc "$out/$name/diurnal")
"$out/$name/diurnal" --version
echo "needs of the C library: ${glibc:+glibc $glibc or later}${glibc:-nothing, it is in the program}"
(cd "$out" && du -b --apparent-size "$name/diurnal" ./*.tar.gz ./*.deb && sha256sum ./*.tar.gz ./*.deb >SHA256SUMS)

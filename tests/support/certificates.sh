#!/usr/bin/env bash
# Makes the certificates of the security tests with openssl. Usage: certificates.sh FOLDER PASSWORD
# Each NAME.pem holds a key and its certificate, as Kafka takes them; NAME.key and NAME.crt hold them apart, as librdkafka
# does. client.locked.key is client.key under the password. Of an authority only NAME.crt is made public.
set -euo pipefail
cd "$1"
export PASSWORD=$2

cat >openssl.cnf <<'CONFIG'
[req]
distinguished_name = subject
[subject]
[authority]
basicConstraints = critical, CA:TRUE
[ca]
default_ca = signer
[signer]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
CONFIG
touch index.txt

key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}
authority() {
    key "$1"
    openssl req -x509 -new -config openssl.cnf -extensions authority -key "$1.key" -subj "/CN=$1" -days 3650 -out "$1.crt"
}
# NAME AUTHORITY HOST FIRST-YEAR LAST-YEAR
certificate() {
    key "$1"
    openssl req -new -config openssl.cnf -key "$1.key" -subj "/CN=$1" -addext "subjectAltName=DNS:$3" -out "$1.csr"
    openssl ca -batch -notext -config openssl.cnf -keyfile "$2.key" -cert "$2.crt" -in "$1.csr" -out "$1.crt" \
        -startdate "$4"0101000000Z -enddate "$5"0101000000Z
    cat "$1.key" "$1.crt" >"$1.pem"
}

{
    authority authority
    authority stranger
    certificate good authority localhost 2000 2099
    certificate expired authority localhost 2000 2001
    certificate elsewhere authority elsewhere.example 2000 2099
    certificate client authority client.example 2000 2099
    certificate old-client authority client.example 2000 2001
    certificate strange-client stranger client.example 2000 2099
    openssl pkcs8 -topk8 -v2 aes-256-cbc -passout env:PASSWORD -in client.key -out client.locked.key
} >openssl.log 2>&1 || {
    cat openssl.log >&2
    exit 1
}

#!/usr/bin/env bash
# Runs the machine's cron with one crontab and nothing of the machine's own. Usage: unshare --mount bash cron.sh CRONTAB MAILS
# What cron sends as mail goes into MAILS, a file, instead. In a mount namespace of its own all of this is seen by nobody else and
# gone with it.
set -euo pipefail

crontab=$1
mails=$2
mount --make-rprivate /

# The crontabs of the machine and of its users, and the lock of a cron that may run already, are out of sight.
for folder in /etc/cron.d /var/spool/cron /run; do
    mount -t tmpfs tmpfs "$folder"
done
mount --bind /dev/null /etc/crontab
mkdir /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
chmod 1730 /var/spool/cron/crontabs

# cron hands mail to this path and no other.
mailer=$(mktemp -d /run/mailer.XXXXXX)
printf '#!/bin/sh\n{ echo MAIL; cat; } >>"%s"\n' "$mails" >"$mailer/sendmail"
chmod 755 "$mailer" "$mailer/sendmail"
mount -t overlay -o "lowerdir=$mailer:/usr/sbin" overlay /usr/sbin

# As a user does it, so that the file is checked as well.
crontab "$crontab"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin cron -f

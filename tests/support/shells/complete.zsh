# Types a line and the tab key into an interactive zsh. Usage: zsh -f complete.zsh FOLDER LINE
zmodload zsh/zpty
zpty shell zsh -f -i
# What is completed is run, and says what it is. In two pieces, so that the echo of this line is not the answer.
zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; diurnal() { print -r -- 'com''pleted<diurnal' \"\$*>\" }"
zpty -w shell "$2"$'\t'
zpty -r shell answer '*completed<*>*'
answer=${answer##*completed<}
print -r -- ${answer%%>*}

# Completes a line as bash does when the tab key is pressed. Usage: bash complete.bash FOLDER LINE
source "$1/_diurnal"
read -ra COMP_WORDS <<<"$2"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE=$2 COMP_POINT=${#2}
# complete -F FUNCTION ... diurnal
read -ra registered <<<"$(complete -p diurnal)"
for ((at = 0; at < ${#registered[@]}; at++)); do
    if [[ ${registered[at]} == -F ]]; then function=${registered[at + 1]}; fi
done
"$function" diurnal "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
unset "COMP_WORDS[COMP_CWORD]"
# Two candidates would be two lines.
printf '%s\n' "${COMPREPLY[@]/#/${COMP_WORDS[*]} }"

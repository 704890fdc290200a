# Completes a line as fish does when the tab key is pressed. Usage: fish complete.fish FOLDER LINE
source $argv[1]/_diurnal
set words (string split ' ' -- $argv[2])
# Candidates come with their descriptions behind a tab.
for candidate in (complete -C $argv[2])
    echo $words[1..-2] (string split \t -- $candidate)[1]
end

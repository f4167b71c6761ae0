# Prints each scalar of a JSON text as "path<TAB>value", a line each; the path joins object keys and array indices by "/".
# In values a newline is written "\n" and a backslash "\\". Ends with status 1 at the first thing that is not JSON.

function fail() { failed = 1; exit 1 }

# Takes the next token off `text`.
function next_token() {
    sub(/^[ \t\r\n]+/, "", text)
    if (!match(text, /^[][{}:,]/) && !match(text, /^"([^"\\]|\\.)*"/) && !match(text, /^[-+.0-9a-zA-Z]+/)) fail()
    token = substr(text, 1, RLENGTH)
    text = substr(text, RLENGTH + 1)
}

function utf8(code) {
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code >= 55296 && code < 57344) return "?"
    return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
}

function hexadecimal(digits,    i, value) {
    value = 0
    for (i = 1; i <= 4; i++) value = value * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
    return value
}

# The text of a string token, with its escapes resolved.
function unquote(quoted,    out, letter) {
    quoted = substr(quoted, 2, length(quoted) - 2)
    out = ""
    while (match(quoted, /\\/)) {
        out = out substr(quoted, 1, RSTART - 1)
        letter = substr(quoted, RSTART + 1, 1)
        quoted = substr(quoted, RSTART + 2)
        if (letter == "u") {
            out = out utf8(hexadecimal(quoted))
            quoted = substr(quoted, 5)
        } else if (letter in escapes) out = out escapes[letter]
        else out = out letter
    }
    return out quoted
}

function print_scalar(path, value) {
    gsub(/\\/, "\\\\", value)
    gsub(/\n/, "\\n", value)
    print path "\t" value
}

# Reads one value whose first token is in `token`.
function read_value(path,    separator, i, key) {
    separator = path == "" ? "" : "/"
    if (token == "{") {
        next_token()
        while (token != "}") {
            if (token !~ /^"/) fail()
            key = unquote(token)
            next_token()
            if (token != ":") fail()
            next_token()
            read_value(path separator key)
            next_token()
            if (token == ",") next_token()
            else if (token != "}") fail()
        }
    } else if (token == "[") {
        next_token()
        for (i = 0; token != "]"; i++) {
            read_value(path separator i)
            next_token()
            if (token == ",") next_token()
            else if (token != "]") fail()
        }
    } else if (token ~ /^"/) print_scalar(path, unquote(token))
    else if (token ~ /^[-+.0-9a-zA-Z]/) print_scalar(path, token)
    else fail()
}

BEGIN {
    escapes["n"] = "\n"; escapes["t"] = "\t"; escapes["r"] = ""; escapes["b"] = ""; escapes["f"] = ""
}
{ text = text $0 "\n" }
END {
    if (failed) exit 1
    next_token()
    read_value("")
}

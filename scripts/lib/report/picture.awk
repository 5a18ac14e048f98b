# picture.awk: makes the SVG that scripts/plot drew a part of an HTML page: without its XML head, with a title of its
# own, and with ids that no other picture of the page has. POSIX awk. From outside come `id` and `title`, which is
# escaped already.

/^<\?xml/ { next }
/<desc>/ { next }

/<svg/ && !opened {
    sub(/<svg/, "<svg class=\"plot\" role=\"img\" aria-labelledby=\"" id "-title\"")
    opened = 1
}

/<title>/ && !titled {
    print "<title id=\"" id "-title\">" title "</title>"
    titled = 1
    next
}

{
    gsub(/ id="/, "&" id "-")
    gsub(/ id='/, "&" id "-")
    gsub(/href="#/, "&" id "-")
    gsub(/href='#/, "&" id "-")
    gsub(/url\(#/, "&" id "-")
    print
}

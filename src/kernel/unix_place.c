#include "kernel/unix_place.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int unix_place_of(const char *text, struct unix_place *place)
{
    size_t length = strlen(text);
    *place = (struct unix_place){.address.sun_family = AF_UNIX};
    if (length == 0 || (text[0] == '@' && length == 1))
        return -EINVAL;
    if (length >= sizeof place->address.sun_path)
        return -ENAMETOOLONG;
    memcpy(place->address.sun_path, text, length);
    bool is_abstract = text[0] == '@';
    if (is_abstract)
        place->address.sun_path[0] = '\0';
    place->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
    return 0;
}

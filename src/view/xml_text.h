/* xml_text: any text where XML has text or the value of an attribute. */
#ifndef VIEW_XML_TEXT_H
#define VIEW_XML_TEXT_H

#include <stdio.h>

/* Control characters other than a line's end, which XML cannot have, become question marks. */
void xml_put_text(FILE *out, const char *text);

#endif

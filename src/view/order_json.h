/* order_json: an experiment explained to a program: in words, and as the ladder that its order implies. */
#ifndef VIEW_ORDER_JSON_H
#define VIEW_ORDER_JSON_H

#include "base/json_writer.h"
#include "model/experiment.h"

/* Writes the members "summary", "meaning" and "ladder" into the open object. The ladder has an object for
 * each step: step, client_call, server_call, segments (from, flags), and the states expected: client, server.
 */
void order_json_put(struct json_writer *w, const struct experiment *experiment);

#endif

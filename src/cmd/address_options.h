/* address_options: --address and --port, the same in every command that has them. */
#ifndef CMD_ADDRESS_OPTIONS_H
#define CMD_ADDRESS_OPTIONS_H

#include "base/options.h"
#include "kernel/address.h"

/* `at`: offset of a struct address in the command's option struct. */
#define ADDRESS_OPTION(at)                                                                                   \
    {                                                                                                        \
        .name = "address", .value = "ADDR", .help = "loopback address, IPv4 or IPv6", .preset = "127.0.0.1", \
        .kind = OPTION_CUSTOM, .target = (at), .parse = address_parse_loopback                               \
    }

/* `at`: offset of an int64_t. */
#define PORT_OPTION(at, says)                                                                                \
    {                                                                                                        \
        .name = "port", .value = "PORT", .help = (says), .preset = "15000", .kind = OPTION_COUNT,            \
        .target = (at), .min = 1, .max = 65535                                                               \
    }

#endif

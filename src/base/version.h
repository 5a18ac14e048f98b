/* version: one place for the number that --version, the man page and the control protocol speak of. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define TCPSTORM_VERSION "0.2.0"

#endif

/* agent: the far end of a launcher: it starts workers and a witness where it runs, and carries their
 * lines. When its controller says so, or has not been heard for a while, they leave and so does it: nothing
 * stays behind on a host that lost its network. */
#ifndef CONTROL_AGENT_H
#define CONTROL_AGENT_H

/* Serves the controller that is behind these two descriptors. Returns 0, or a negative errno when it could
 * not start. */
int agent_run(int from_controller, int to_controller);

#endif

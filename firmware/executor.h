/* Runs the plan that the mailbox names. */
#ifndef FLOATSOC_EXECUTOR_H
#define FLOATSOC_EXECUTOR_H

/* Executes the plan once; ends in STATE_DONE or STATE_FAILED. */
void plan_execute(void);

#endif

/* Links the library of what is being tried out, with the header beside fathom.h. */
#include <fathom_experimental.h>
#include <stddef.h>

int main(void) { return fathom_x_session_set_logits_hook(NULL, NULL, NULL) == FATHOM_INVALID_ARGUMENT ? 0 : 1; }

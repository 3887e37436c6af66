// The unix port as a virtual ESP32-S3: what a program can ask about its board, and Ctrl-C as on a board.
#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)
#include "ports/unix/variants/mpconfigvariant_common.h"

#undef MICROPY_PY_OS_SYSTEM
#undef MICROPY_ASYNC_KBD_INTR
#define MICROPY_ASYNC_KBD_INTR (0)  // at the next instruction, not in the midst of one
#define MICROPY_PY_SYS_PLATFORM "esp32"
#define MICROPY_PY_OS_UNAME (1)
#define MICROPY_HW_BOARD_NAME "LLMos virtual board"
#define MICROPY_HW_MCU_NAME "virtual ESP32S3"
#define MICROPY_BANNER_MACHINE MICROPY_HW_BOARD_NAME " with " MICROPY_HW_MCU_NAME
#define MICROPY_PY_OS_SYSTEM (0)

# Without what a board has not.
MICROPY_PY_BTREE = 0
MICROPY_PY_FFI = 0
MICROPY_PY_SSL = 0
MICROPY_SSL_MBEDTLS = 0
# Lines end on the wire as a board ends them, Ctrl-C acts as on a board, and what was taken too early can be
# given back.
LDFLAGS += -Wl,--wrap=mp_hal_stdout_tx_strn_cooked -Wl,--wrap=mp_hal_stdin_rx_chr
LDFLAGS += -Wl,--wrap=mp_hal_set_interrupt_char -Wl,--wrap=mp_sys_stdout_obj

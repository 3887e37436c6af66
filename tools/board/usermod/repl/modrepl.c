// The module `repl`: what a board does between its reset and the next one, on the unix port.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "py/mphal.h"
#include "py/mperrno.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "shared/runtime/pyexec.h"

#define CHAR_CTRL_C (3)
#define GIVEN_BACK_MOST (64)
#define REQUESTS (4)  // descriptor
#define READY (6)

static byte given_back[GIVEN_BACK_MOST];
static size_t given_back_size, given_back_taken;
static size_t taken;  // bytes of standard input, by the REPL
static bool running;  // as a board
static volatile sig_atomic_t interrupts, strays;

int __real_mp_hal_stdin_rx_chr(void);
int __wrap_mp_hal_stdin_rx_chr(void);
void __wrap_mp_hal_stdout_tx_strn_cooked(const char *str, size_t len);
void __wrap_mp_hal_set_interrupt_char(char c);

// What was given back comes first.
int __wrap_mp_hal_stdin_rx_chr(void) {
    if (strays > 0) {
        strays = 0;
        return CHAR_CTRL_C;
    }
    if (given_back_taken < given_back_size) {
        return given_back[given_back_taken++];
    }
    int c = __real_mp_hal_stdin_rx_chr();
    taken += 1;
    return c;
}

// A Ctrl-C at the serial port: it interrupts a program that allows it, else the REPL reads it.
static void on_interrupt(int number) {
    (void)number;
    if (interrupts) {
        mp_sched_keyboard_interrupt();
    } else {
        strays = 1;
    }
}

static void on_nothing(int number) {
    (void)number;
}

// Whether SIGUSR1 has a handler tells the board whether Ctrl-C interrupts now.
void __wrap_mp_hal_set_interrupt_char(char c) {
    interrupts = c == CHAR_CTRL_C;
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = interrupts ? on_nothing : SIG_DFL;
    sigaction(SIGUSR1, &action, NULL);
}

// A line that a program prints on a board ends with CR and LF.
void __wrap_mp_hal_stdout_tx_strn_cooked(const char *str, size_t len) {
    if (!running) {
        mp_hal_stdout_tx_strn(str, len);
        return;
    }
    while (len > 0) {
        const char *end = memchr(str, '\n', len);
        size_t size = end == NULL ? len : (size_t)(end - str);
        if (size > 0) {
            mp_hal_stdout_tx_strn(str, size);
        }
        if (end == NULL) {
            return;
        }
        mp_hal_stdout_tx_strn("\r\n", 2);
        str += size + 1;
        len -= size + 1;
    }
}

// sys.stdout is text, and sys.stdout.buffer the bytes as they are.
static mp_uint_t stdout_write(mp_obj_t self, const void *buffer, mp_uint_t size, int *error) {
    (void)self;
    (void)error;
    mp_hal_stdout_tx_strn_cooked(buffer, size);
    return size;
}

static mp_uint_t stdout_ioctl(mp_obj_t self, mp_uint_t request, uintptr_t argument, int *error) {
    (void)self;
    if (request == MP_STREAM_POLL) {
        return argument & MP_STREAM_POLL_WR;
    }
    if (request == MP_STREAM_FLUSH || request == MP_STREAM_CLOSE) {
        return 0;
    }
    *error = MP_EINVAL;
    return MP_STREAM_ERROR;
}

extern struct _mp_dummy_t mp_sys_stdout_buffer_obj;

static const mp_rom_map_elem_t stdout_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_buffer), MP_ROM_PTR(&mp_sys_stdout_buffer_obj)},
    {MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj)},
    {MP_ROM_QSTR(MP_QSTR_flush), MP_ROM_PTR(&mp_stream_flush_obj)},
};
static MP_DEFINE_CONST_DICT(stdout_locals, stdout_locals_table);

static const mp_stream_p_t stdout_stream = {
    .write = stdout_write,
    .ioctl = stdout_ioctl,
    .is_text = true,
};

static MP_DEFINE_CONST_OBJ_TYPE(
    stdout_type, MP_QSTR_TextIOWrapper, MP_TYPE_FLAG_NONE, protocol, &stdout_stream, locals_dict, &stdout_locals);

const mp_obj_base_t __wrap_mp_sys_stdout_obj = {&stdout_type};

// give_back(data): let the REPL read these bytes before all others.
static mp_obj_t repl_give_back(mp_obj_t data) {
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(data, &buffer, MP_BUFFER_READ);
    if (buffer.len > GIVEN_BACK_MOST) {
        mp_raise_ValueError(MP_ERROR_TEXT("too many bytes"));
    }
    memcpy(given_back, buffer.buf, buffer.len);
    given_back_size = buffer.len;
    given_back_taken = 0;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(repl_give_back_obj, repl_give_back);

// run(raw): boot.py, main.py unless raw, and the REPL until a soft reset; returns whether the REPL is raw.
static mp_obj_t repl_run(mp_obj_t raw) {
    pyexec_mode_kind = mp_obj_is_true(raw) ? PYEXEC_MODE_RAW_REPL : PYEXEC_MODE_FRIENDLY_REPL;
    running = true;
    mp_hal_set_interrupt_char(-1);
    static const byte ready[20] = {READY};
    if (write(REQUESTS, ready, sizeof(ready)) != sizeof(ready)) {
        exit(1);
    }
    mp_obj_dict_t *globals = mp_globals_get(), *locals = mp_locals_get();
    mp_globals_set(&MP_STATE_VM(dict_main));
    mp_locals_set(&MP_STATE_VM(dict_main));
    int ended = pyexec_file_if_exists("boot.py");
    if (!(ended & PYEXEC_FORCED_EXIT) && pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && ended != 0) {
        ended = pyexec_file_if_exists("main.py");
    }
    while (!(ended & PYEXEC_FORCED_EXIT)) {
        ended = pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl();
    }
    mp_globals_set(globals);
    mp_locals_set(locals);
    mp_hal_stdout_tx_str("MPY: soft reboot\r\n");
    return mp_obj_new_bool(pyexec_mode_kind == PYEXEC_MODE_RAW_REPL);
}
static MP_DEFINE_CONST_FUN_OBJ_1(repl_run_obj, repl_run);

// end(status): end the process, as a reset does.
static mp_obj_t repl_end(mp_obj_t status) {
    exit(mp_obj_get_int(status));
}
static MP_DEFINE_CONST_FUN_OBJ_1(repl_end_obj, repl_end);

// taken(): how many bytes of standard input the REPL has read.
static mp_obj_t repl_taken(void) {
    return mp_obj_new_int_from_uint(taken);
}
static MP_DEFINE_CONST_FUN_OBJ_0(repl_taken_obj, repl_taken);

static const mp_rom_map_elem_t repl_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_repl)},
    {MP_ROM_QSTR(MP_QSTR_end), MP_ROM_PTR(&repl_end_obj)},
    {MP_ROM_QSTR(MP_QSTR_give_back), MP_ROM_PTR(&repl_give_back_obj)},
    {MP_ROM_QSTR(MP_QSTR_run), MP_ROM_PTR(&repl_run_obj)},
    {MP_ROM_QSTR(MP_QSTR_taken), MP_ROM_PTR(&repl_taken_obj)},
};
static MP_DEFINE_CONST_DICT(repl_globals, repl_globals_table);

const mp_obj_module_t repl_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&repl_globals,
};
MP_REGISTER_MODULE(MP_QSTR_repl, repl_module);

// The module `flash`: a part of a file as a block device, which Ctrl-C cannot break in the midst of a block.
#include <fcntl.h>
#include <unistd.h>

#include "extmod/vfs.h"
#include "py/mperrno.h"
#include "py/runtime.h"

#define BLOCK (4096)

typedef struct {
    mp_obj_base_t base;
    int file;
    off_t offset;
    size_t blocks;
} flash_t;

// Flash(path, offset, size)
static mp_obj_t flash_make(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 3, 3, false);
    flash_t *self = mp_obj_malloc(flash_t, type);
    self->file = open(mp_obj_str_get_str(args[0]), O_RDWR | O_CLOEXEC);
    if (self->file < 0) {
        mp_raise_OSError(errno);
    }
    self->offset = mp_obj_get_int(args[1]);
    self->blocks = mp_obj_get_int(args[2]) / BLOCK;
    return MP_OBJ_FROM_PTR(self);
}

static off_t place(flash_t *self, mp_obj_t block, mp_obj_t offset) {
    return self->offset + (off_t)mp_obj_get_int(block) * BLOCK + mp_obj_get_int(offset);
}

static void erase(flash_t *self, mp_obj_t block) {
    byte blank[BLOCK];
    memset(blank, 0xff, sizeof(blank));
    if (pwrite(self->file, blank, BLOCK, place(self, block, MP_OBJ_NEW_SMALL_INT(0))) != BLOCK) {
        mp_raise_OSError(MP_EIO);
    }
}

static mp_obj_t flash_readblocks(size_t n_args, const mp_obj_t *args) {
    flash_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_WRITE);
    off_t at = place(self, args[1], n_args == 4 ? args[3] : MP_OBJ_NEW_SMALL_INT(0));
    if (pread(self->file, buffer.buf, buffer.len, at) != (ssize_t)buffer.len) {
        mp_raise_OSError(MP_EIO);
    }
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(flash_readblocks_obj, 3, 4, flash_readblocks);

static mp_obj_t flash_writeblocks(size_t n_args, const mp_obj_t *args) {
    flash_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_READ);
    if (n_args == 3) {
        erase(self, args[1]);
    }
    off_t at = place(self, args[1], n_args == 4 ? args[3] : MP_OBJ_NEW_SMALL_INT(0));
    if (pwrite(self->file, buffer.buf, buffer.len, at) != (ssize_t)buffer.len) {
        mp_raise_OSError(MP_EIO);
    }
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(flash_writeblocks_obj, 3, 4, flash_writeblocks);

static mp_obj_t flash_ioctl(mp_obj_t self_in, mp_obj_t operation, mp_obj_t argument) {
    flash_t *self = MP_OBJ_TO_PTR(self_in);
    switch (mp_obj_get_int(operation)) {
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return mp_obj_new_int_from_uint(self->blocks);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(BLOCK);
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE:
            erase(self, argument);
            return MP_OBJ_NEW_SMALL_INT(0);
        default:
            return MP_OBJ_NEW_SMALL_INT(0);
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(flash_ioctl_obj, flash_ioctl);

static const mp_rom_map_elem_t flash_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&flash_readblocks_obj)},
    {MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&flash_writeblocks_obj)},
    {MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&flash_ioctl_obj)},
};
static MP_DEFINE_CONST_DICT(flash_locals, flash_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(
    flash_type, MP_QSTR_Flash, MP_TYPE_FLAG_NONE, make_new, flash_make, locals_dict, &flash_locals);

static const mp_rom_map_elem_t flash_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_flash)},
    {MP_ROM_QSTR(MP_QSTR_Flash), MP_ROM_PTR(&flash_type)},
};
static MP_DEFINE_CONST_DICT(flash_globals, flash_globals_table);

const mp_obj_module_t flash_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&flash_globals,
};
MP_REGISTER_MODULE(MP_QSTR_flash, flash_module);

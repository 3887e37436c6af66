SRC_USERMOD_C += $(USERMOD_DIR)/modrepl.c shared/runtime/pyexec.c

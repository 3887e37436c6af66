SRC_USERMOD_C += $(USERMOD_DIR)/modflash.c

BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'finished');
INSERT INTO "studies" VALUES(2,'interrupted');
INSERT INTO "studies" VALUES(3,'comparison');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MAXIMIZE',2,0);
INSERT INTO "study_directions" VALUES(3,'MAXIMIZE',3,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["validation accuracy"]');
INSERT INTO "study_system_attributes" VALUES(2,2,'study:metric_names','["validation accuracy"]');
INSERT INTO "study_system_attributes" VALUES(3,3,'study:metric_names','["top-1 accuracy"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'uid','"9b2d3969280c4774b87649cdb4f3f08b"');
INSERT INTO "study_user_attributes" VALUES(2,1,'config','{"model": "mynet", "width": 0.01, "data": "digits", "train_images": 500, "image_size": 8, "normalize": {"mean": [0.5], "std": [0.5]}, "validation": 0.2, "seed": 0, "sampler": {"name": "tpe", "n_startup_trials": 3}, "pruner": {"name": "percentile", "n_startup_trials": 1, "percentile": 50.0}, "space": {"lr": {"low": 0.0001, "high": 0.1, "log": true}, "batch_size": [16, 32], "epochs": {"low": 3, "high": 4}, "widths": {"*.pool": [1.0, 2.0]}}, "start": [{"lr": 0.1, "batch_size": 16, "epochs": 4, "widths": {"*.pool": 1.0}}, {"lr": 0.1, "batch_size": 16, "epochs": 4, "widths": {"*.pool": 1.0}}, {"lr": 0.1, "batch_size": 32, "epochs": 3, "weight_decay": 1e+30, "widths": {"*.pool": 1.0}}]}');
INSERT INTO "study_user_attributes" VALUES(3,1,'definition','{"lr": {"low": 0.0001, "high": 0.1, "log": true}, "batch_size": [16, 32], "epochs": {"low": 3, "high": 4}, "widths.*.pool": [1.0, 2.0], "width": 0.01, "data": "50af3dcda3628811", "train_images": 500, "image_size": 8, "normalize": {"mean": [0.5], "std": [0.5]}, "validation": 0.2, "seed": 0}');
INSERT INTO "study_user_attributes" VALUES(4,1,'checkpoints','"@FOLDER@/checkpoints/finished"');
INSERT INTO "study_user_attributes" VALUES(5,1,'version','"0.1.0"');
INSERT INTO "study_user_attributes" VALUES(6,2,'uid','"661d5c827d7d489d9bc9142a22ab738d"');
INSERT INTO "study_user_attributes" VALUES(7,2,'config','{"model": "mynet", "width": 0.01, "data": "digits", "train_images": 200, "image_size": 8, "normalize": {"mean": [0.5], "std": [0.5]}, "validation": 0.2, "seed": 0, "sampler": {"name": "tpe"}, "pruner": {"name": "none"}, "space": {"batch_size": 16, "epochs": 3, "momentum": 0.0, "lr": [0.02, 0.05]}, "start": []}');
INSERT INTO "study_user_attributes" VALUES(8,2,'definition','{"batch_size": 16, "epochs": 3, "momentum": 0.0, "lr": [0.02, 0.05], "width": 0.01, "data": "50af3dcda3628811", "train_images": 200, "image_size": 8, "normalize": {"mean": [0.5], "std": [0.5]}, "validation": 0.2, "seed": 0}');
INSERT INTO "study_user_attributes" VALUES(9,2,'checkpoints','"@FOLDER@/checkpoints/interrupted"');
INSERT INTO "study_user_attributes" VALUES(10,2,'version','"0.1.0"');
INSERT INTO "study_user_attributes" VALUES(11,3,'comparison','{"data": "digits", "images": 359, "classes": 10, "choices": ["alexnet", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny", "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "efficientnet_v2_m", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_16gf", "regnet_x_1_6gf", "regnet_x_32gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_8gf", "regnet_y_128gf", "regnet_y_16gf", "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf", "regnet_y_400mf", "regnet_y_800mf", "regnet_y_8gf", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "squeezenet1_0", "squeezenet1_1", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32", "wide_resnet101_2", "wide_resnet50_2", "mynet (ours)", "googlenet (ours)"]}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,0.16,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,0.33,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,0.57,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,1,4,0.43,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,2,1,0.16,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,2,2,0.33,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,2,3,0.57,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,2,4,0.43,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,4,1,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,5,1,0.08,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,6,1,0.16,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,6,2,0.44,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,6,3,0.73,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,7,1,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,8,1,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,8,2,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(17,8,3,0.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(18,9,1,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(19,9,2,0.1,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'lr',0.1,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(2,1,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(3,1,'epochs',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 3, "high": 4}}');
INSERT INTO "trial_params" VALUES(4,1,'widths.*.pool',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1.0, 2.0]}}');
INSERT INTO "trial_params" VALUES(5,2,'lr',0.1,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(6,2,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(7,2,'epochs',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 3, "high": 4}}');
INSERT INTO "trial_params" VALUES(8,2,'widths.*.pool',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1.0, 2.0]}}');
INSERT INTO "trial_params" VALUES(9,3,'lr',0.1,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(10,3,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(11,3,'epochs',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 3, "high": 4}}');
INSERT INTO "trial_params" VALUES(12,3,'widths.*.pool',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1.0, 2.0]}}');
INSERT INTO "trial_params" VALUES(13,4,'lr',1.56667565879270101339e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(14,4,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(15,4,'epochs',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 3, "high": 4}}');
INSERT INTO "trial_params" VALUES(16,4,'widths.*.pool',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1.0, 2.0]}}');
INSERT INTO "trial_params" VALUES(17,5,'lr',1.11748655201016652664e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(18,5,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(19,5,'epochs',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 3, "high": 4}}');
INSERT INTO "trial_params" VALUES(20,5,'widths.*.pool',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1.0, 2.0]}}');
INSERT INTO "trial_params" VALUES(21,6,'lr',3.14470039302008029513e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(22,6,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(23,6,'epochs',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 3, "high": 4}}');
INSERT INTO "trial_params" VALUES(24,6,'widths.*.pool',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1.0, 2.0]}}');
INSERT INTO "trial_params" VALUES(25,7,'lr',9.08917338132081767398e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(26,7,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(27,7,'epochs',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 3, "high": 4}}');
INSERT INTO "trial_params" VALUES(28,7,'widths.*.pool',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1.0, 2.0]}}');
INSERT INTO "trial_params" VALUES(29,8,'lr',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.02, 0.05]}}');
INSERT INTO "trial_params" VALUES(30,9,'lr',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.02, 0.05]}}');
INSERT INTO "trial_params" VALUES(31,10,'model',80.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["alexnet", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny", "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "efficientnet_v2_m", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_16gf", "regnet_x_1_6gf", "regnet_x_32gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_8gf", "regnet_y_128gf", "regnet_y_16gf", "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf", "regnet_y_400mf", "regnet_y_800mf", "regnet_y_8gf", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "squeezenet1_0", "squeezenet1_1", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32", "wide_resnet101_2", "wide_resnet50_2", "mynet (ours)", "googlenet (ours)"]}}');
INSERT INTO "trial_params" VALUES(32,11,'model',80.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["alexnet", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny", "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "efficientnet_v2_m", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_16gf", "regnet_x_1_6gf", "regnet_x_32gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_8gf", "regnet_y_128gf", "regnet_y_16gf", "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf", "regnet_y_400mf", "regnet_y_800mf", "regnet_y_8gf", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "squeezenet1_0", "squeezenet1_1", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32", "wide_resnet101_2", "wide_resnet50_2", "mynet (ours)", "googlenet (ours)"]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'fixed_params','{"lr": 0.1, "batch_size": 16, "epochs": 4, "widths.*.pool": 1.0}');
INSERT INTO "trial_system_attributes" VALUES(2,2,'fixed_params','{"lr": 0.1, "batch_size": 16, "epochs": 4, "widths.*.pool": 1.0}');
INSERT INTO "trial_system_attributes" VALUES(3,3,'fixed_params','{"lr": 0.1, "batch_size": 32, "epochs": 3, "widths.*.pool": 1.0}');
INSERT INTO "trial_system_attributes" VALUES(4,3,'constraints:diverged','1.0');
INSERT INTO "trial_system_attributes" VALUES(5,4,'tpe:relative_params:0','"{\"lr\": 0.0001566675658792701, \"batch_size\": 16, \"epochs\": 4, \"widths.*.pool\": 1.0}"');
INSERT INTO "trial_system_attributes" VALUES(6,5,'tpe:relative_params:0','"{\"lr\": 0.0011174865520101665, \"batch_size\": 16, \"epochs\": 3, \"widths.*.pool\": 2.0}"');
INSERT INTO "trial_system_attributes" VALUES(7,6,'tpe:relative_params:0','"{\"lr\": 0.0031447003930200803, \"batch_size\": 16, \"epochs\": 3, \"widths.*.pool\": 1.0}"');
INSERT INTO "trial_system_attributes" VALUES(8,7,'tpe:relative_params:0','"{\"lr\": 0.0009089173381320818, \"batch_size\": 32, \"epochs\": 3, \"widths.*.pool\": 1.0}"');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'start','0');
INSERT INTO "trial_user_attributes" VALUES(2,1,'set','{"lr": 0.1, "batch_size": 16, "epochs": 4, "widths.*.pool": 1.0}');
INSERT INTO "trial_user_attributes" VALUES(3,1,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {"*.pool": 1.0}, "lr": 0.1, "batch_size": 16, "epochs": 4, "momentum": 0.9, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 4233310651, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 500, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(4,1,'curve','[{"epoch": 1, "train_loss": 2.000170183181763, "train_accuracy": 0.2675, "val_loss": 18.550933837890625, "val_accuracy": 0.16, "seconds": 0.3983259040000462}, {"epoch": 2, "train_loss": 1.4026456451416016, "train_accuracy": 0.48, "val_loss": 2.3275466918945313, "val_accuracy": 0.33, "seconds": 0.3335731039999814}, {"epoch": 3, "train_loss": 1.1727956914901734, "train_accuracy": 0.605, "val_loss": 1.4404547500610352, "val_accuracy": 0.57, "seconds": 0.3278895629999852}, {"epoch": 4, "train_loss": 0.7971093845367432, "train_accuracy": 0.74, "val_loss": 1.8753275680541992, "val_accuracy": 0.43, "seconds": 0.324625583999989}]');
INSERT INTO "trial_user_attributes" VALUES(5,1,'run','{"reason": "trained to its last epoch", "parameters": 34578, "images_per_second": 1155.7, "epoch_seconds": [0.3983, 0.3336, 0.3279, 0.3246], "peak_memory_mb": 908.3, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534"}');
INSERT INTO "trial_user_attributes" VALUES(6,2,'start','1');
INSERT INTO "trial_user_attributes" VALUES(7,2,'set','{"lr": 0.1, "batch_size": 16, "epochs": 4, "widths.*.pool": 1.0}');
INSERT INTO "trial_user_attributes" VALUES(8,2,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {"*.pool": 1.0}, "lr": 0.1, "batch_size": 16, "epochs": 4, "momentum": 0.9, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 4233310651, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 500, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(9,2,'curve','[{"epoch": 1, "train_loss": 2.000170183181763, "train_accuracy": 0.2675, "val_loss": 18.550933837890625, "val_accuracy": 0.16, "seconds": 0.3983259040000462}, {"epoch": 2, "train_loss": 1.4026456451416016, "train_accuracy": 0.48, "val_loss": 2.3275466918945313, "val_accuracy": 0.33, "seconds": 0.3335731039999814}, {"epoch": 3, "train_loss": 1.1727956914901734, "train_accuracy": 0.605, "val_loss": 1.4404547500610352, "val_accuracy": 0.57, "seconds": 0.3278895629999852}, {"epoch": 4, "train_loss": 0.7971093845367432, "train_accuracy": 0.74, "val_loss": 1.8753275680541992, "val_accuracy": 0.43, "seconds": 0.324625583999989}]');
INSERT INTO "trial_user_attributes" VALUES(10,2,'run','{"reason": "same configuration as trial 0: took over its figures", "parameters": 34578, "images_per_second": 1155.7, "epoch_seconds": [0.3983, 0.3336, 0.3279, 0.3246], "peak_memory_mb": 908.3, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534", "same_as": 0}');
INSERT INTO "trial_user_attributes" VALUES(11,3,'start','2');
INSERT INTO "trial_user_attributes" VALUES(12,3,'set','{"lr": 0.1, "batch_size": 32, "epochs": 3, "weight_decay": 1e+30, "widths.*.pool": 1.0}');
INSERT INTO "trial_user_attributes" VALUES(13,3,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {"*.pool": 1.0}, "lr": 0.1, "batch_size": 32, "epochs": 3, "momentum": 0.9, "weight_decay": 1e+30, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 3533803786, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 500, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(14,3,'run','{"reason": "diverged: training loss is nan in epoch 1", "parameters": 34578, "epoch_seconds": [], "peak_memory_mb": 913.2, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534"}');
INSERT INTO "trial_user_attributes" VALUES(15,4,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {"*.pool": 1.0}, "lr": 0.0001566675658792701, "batch_size": 16, "epochs": 4, "momentum": 0.9, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 38831508, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 500, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(16,4,'curve','[{"epoch": 1, "train_loss": 2.394522476196289, "train_accuracy": 0.1, "val_loss": 2.3391238403320314, "val_accuracy": 0.1, "seconds": 0.33216123800002606}]');
INSERT INTO "trial_user_attributes" VALUES(17,4,'run','{"reason": "below the others at epoch 1", "parameters": 34578, "images_per_second": 1204.2, "epoch_seconds": [0.3322], "peak_memory_mb": 916.5, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534"}');
INSERT INTO "trial_user_attributes" VALUES(18,5,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {"*.pool": 2.0}, "lr": 0.0011174865520101665, "batch_size": 16, "epochs": 3, "momentum": 0.9, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 450242740, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 500, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(19,5,'curve','[{"epoch": 1, "train_loss": 2.3170888805389405, "train_accuracy": 0.14, "val_loss": 2.3318991088867187, "val_accuracy": 0.08, "seconds": 0.32462659200001553}]');
INSERT INTO "trial_user_attributes" VALUES(20,5,'run','{"reason": "below the others at epoch 1", "parameters": 34578, "images_per_second": 1232.2, "epoch_seconds": [0.3246], "peak_memory_mb": 917.1, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534"}');
INSERT INTO "trial_user_attributes" VALUES(21,6,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {"*.pool": 1.0}, "lr": 0.0031447003930200803, "batch_size": 16, "epochs": 3, "momentum": 0.9, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 3255393379, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 500, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(22,6,'curve','[{"epoch": 1, "train_loss": 2.2343778896331785, "train_accuracy": 0.19, "val_loss": 2.2995558166503907, "val_accuracy": 0.16, "seconds": 0.32166071299997157}, {"epoch": 2, "train_loss": 1.8715660858154297, "train_accuracy": 0.455, "val_loss": 1.668177719116211, "val_accuracy": 0.44, "seconds": 0.31989220599996315}, {"epoch": 3, "train_loss": 1.4710375213623046, "train_accuracy": 0.6925, "val_loss": 1.2026793670654297, "val_accuracy": 0.73, "seconds": 0.31153731199998447}]');
INSERT INTO "trial_user_attributes" VALUES(23,6,'run','{"reason": "trained to its last epoch", "parameters": 34578, "images_per_second": 1259.1, "epoch_seconds": [0.3217, 0.3199, 0.3115], "peak_memory_mb": 917.3, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534"}');
INSERT INTO "trial_user_attributes" VALUES(24,7,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {"*.pool": 1.0}, "lr": 0.0009089173381320818, "batch_size": 32, "epochs": 3, "momentum": 0.9, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 1425160752, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 500, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(25,7,'curve','[{"epoch": 1, "train_loss": 2.3275019550323486, "train_accuracy": 0.105, "val_loss": 2.3122198486328127, "val_accuracy": 0.1, "seconds": 0.20698705299997755}]');
INSERT INTO "trial_user_attributes" VALUES(26,7,'run','{"reason": "below the others at epoch 1", "parameters": 34578, "images_per_second": 1932.5, "epoch_seconds": [0.207], "peak_memory_mb": 918.2, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534"}');
INSERT INTO "trial_user_attributes" VALUES(27,8,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {}, "lr": 0.05, "batch_size": 16, "epochs": 3, "momentum": 0.0, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 4233310651, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 200, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(28,8,'curve','[{"epoch": 1, "train_loss": 2.242711329460144, "train_accuracy": 0.1875, "val_loss": 2.3074481964111326, "val_accuracy": 0.1, "seconds": 0.1912872959999845}, {"epoch": 2, "train_loss": 1.892942774295807, "train_accuracy": 0.475, "val_loss": 2.310635566711426, "val_accuracy": 0.1, "seconds": 0.140938828000003}, {"epoch": 3, "train_loss": 1.5895973324775696, "train_accuracy": 0.69375, "val_loss": 2.1366453170776367, "val_accuracy": 0.25, "seconds": 0.1372365240000022}]');
INSERT INTO "trial_user_attributes" VALUES(29,8,'run','{"reason": "trained to its last epoch", "parameters": 34578, "images_per_second": 1022.4, "epoch_seconds": [0.1913, 0.1409, 0.1372], "peak_memory_mb": 905.6, "device": "cpu (x86_64)", "threads": 1, "workers_lost": 0, "versions": {"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}, "commit": "c239aec86a7f6bc02f48b18fc61d467f665b8534"}');
INSERT INTO "trial_user_attributes" VALUES(30,9,'config','{"format": 1, "model": "mynet", "width": 0.01, "widths": {}, "lr": 0.02, "batch_size": 16, "epochs": 3, "momentum": 0.0, "weight_decay": 0.0, "nesterov": false, "optimizer": "sgd", "schedule": "constant", "label_smoothing": 0.0, "augment": "none", "seed": 2959504268, "threads": 1, "precision": "fp32", "data": {"source": "digits", "train_images": 200, "image_size": 8, "validation": 0.2, "seed": 0, "normalize": {"mean": 0.5, "std": 0.5}}}');
INSERT INTO "trial_user_attributes" VALUES(31,9,'curve','[{"epoch": 1, "train_loss": 2.296435904502869, "train_accuracy": 0.14375, "val_loss": 2.3061771392822266, "val_accuracy": 0.1, "seconds": 0.13900664499999493}, {"epoch": 2, "train_loss": 2.1417490243911743, "train_accuracy": 0.31875, "val_loss": 2.3073143005371093, "val_accuracy": 0.1, "seconds": 0.13479165699999385}]');
INSERT INTO "trial_user_attributes" VALUES(32,10,'model','"a/weights.pt"');
INSERT INTO "trial_user_attributes" VALUES(33,10,'stamp','{"weights": "9ab6ce025570dee7", "data": "50af3dcda3628811", "seen": "8 pixels, mean (0.5,), deviation (0.5,)"}');
INSERT INTO "trial_user_attributes" VALUES(34,10,'owner','null');
INSERT INTO "trial_user_attributes" VALUES(35,10,'seen','1795572337.0001433');
INSERT INTO "trial_user_attributes" VALUES(36,11,'model','"c/weights.pt"');
INSERT INTO "trial_user_attributes" VALUES(37,11,'stamp','{"weights": "b3e2f996c5379531", "data": "50af3dcda3628811", "seen": "8 pixels, mean (0.5,), deviation (0.5,)"}');
INSERT INTO "trial_user_attributes" VALUES(38,11,'owner','null');
INSERT INTO "trial_user_attributes" VALUES(39,11,'seen','1795572337.078249');
INSERT INTO "trial_user_attributes" VALUES(40,10,'progress','null');
INSERT INTO "trial_user_attributes" VALUES(41,10,'top1','0.7688022284122563');
INSERT INTO "trial_user_attributes" VALUES(42,10,'top5','0.9749303621169917');
INSERT INTO "trial_user_attributes" VALUES(43,10,'loss','1.2232919376872708');
INSERT INTO "trial_user_attributes" VALUES(44,10,'images','359');
INSERT INTO "trial_user_attributes" VALUES(45,10,'listed','359');
INSERT INTO "trial_user_attributes" VALUES(46,10,'broken','[]');
INSERT INTO "trial_user_attributes" VALUES(47,10,'broken_rows','[]');
INSERT INTO "trial_user_attributes" VALUES(48,10,'parameters','34578');
INSERT INTO "trial_user_attributes" VALUES(49,10,'macs','848192');
INSERT INTO "trial_user_attributes" VALUES(50,10,'images_per_second','7028.67');
INSERT INTO "trial_user_attributes" VALUES(51,10,'ms_per_image','0.142');
INSERT INTO "trial_user_attributes" VALUES(52,10,'peak_memory_mb','1.4');
INSERT INTO "trial_user_attributes" VALUES(53,10,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(54,10,'threads','2');
INSERT INTO "trial_user_attributes" VALUES(55,10,'batch_size','32');
INSERT INTO "trial_user_attributes" VALUES(56,10,'versions','{"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}');
INSERT INTO "trial_user_attributes" VALUES(57,10,'hits','"9/3f08z/v19V/52v+jv/2/r0Xt1/Zxv96//3b7zfX//77/7z/+uvfytMf2/5//+//////7/r///////////7//7//////////////////////////1/+///8"');
INSERT INTO "trial_user_attributes" VALUES(58,11,'progress','null');
INSERT INTO "trial_user_attributes" VALUES(59,11,'top1','0.6155988857938719');
INSERT INTO "trial_user_attributes" VALUES(60,11,'top5','0.9498607242339833');
INSERT INTO "trial_user_attributes" VALUES(61,11,'loss','1.4131932989136422');
INSERT INTO "trial_user_attributes" VALUES(62,11,'images','359');
INSERT INTO "trial_user_attributes" VALUES(63,11,'listed','359');
INSERT INTO "trial_user_attributes" VALUES(64,11,'broken','[]');
INSERT INTO "trial_user_attributes" VALUES(65,11,'broken_rows','[]');
INSERT INTO "trial_user_attributes" VALUES(66,11,'parameters','34578');
INSERT INTO "trial_user_attributes" VALUES(67,11,'macs','848192');
INSERT INTO "trial_user_attributes" VALUES(68,11,'images_per_second','9201.28');
INSERT INTO "trial_user_attributes" VALUES(69,11,'ms_per_image','0.109');
INSERT INTO "trial_user_attributes" VALUES(70,11,'peak_memory_mb','1.4');
INSERT INTO "trial_user_attributes" VALUES(71,11,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(72,11,'threads','2');
INSERT INTO "trial_user_attributes" VALUES(73,11,'batch_size','32');
INSERT INTO "trial_user_attributes" VALUES(74,11,'versions','{"tuner": "0.1.0", "torch": "2.14.1+cu130", "optuna": "5.0.0", "python": "3.11.7"}');
INSERT INTO "trial_user_attributes" VALUES(75,11,'hits','"3j1vUpCe28dQtZWHWzvnj/usZKB/zp/t/+cfZy7+X937PlYw87q71ixdXVaZ/////72///////9+///P////7////7/7///////+/////P/v/////v7+///4"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,0.43,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,0.43,'FINITE');
INSERT INTO "trial_values" VALUES(3,4,0,0.1,'FINITE');
INSERT INTO "trial_values" VALUES(4,5,0,0.08,'FINITE');
INSERT INTO "trial_values" VALUES(5,6,0,0.73,'FINITE');
INSERT INTO "trial_values" VALUES(6,7,0,0.1,'FINITE');
INSERT INTO "trial_values" VALUES(7,8,0,0.25,'FINITE');
INSERT INTO "trial_values" VALUES(8,10,0,7.6880222841225631658e-01,'FINITE');
INSERT INTO "trial_values" VALUES(9,11,0,6.1559888579387189722e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-25 02:05:05.433801','2026-11-25 02:05:08.263369');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-25 02:05:08.271653','2026-11-25 02:05:08.299244');
INSERT INTO "trials" VALUES(3,2,1,'PRUNED','2026-11-25 02:05:08.305303','2026-11-25 02:05:08.614118');
INSERT INTO "trials" VALUES(4,3,1,'PRUNED','2026-11-25 02:05:08.620401','2026-11-25 02:05:09.047913');
INSERT INTO "trials" VALUES(5,4,1,'PRUNED','2026-11-25 02:05:09.054570','2026-11-25 02:05:09.616401');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-25 02:05:09.623019','2026-11-25 02:05:10.701805');
INSERT INTO "trials" VALUES(7,6,1,'PRUNED','2026-11-25 02:05:10.708341','2026-11-25 02:05:11.001422');
INSERT INTO "trials" VALUES(8,0,2,'COMPLETE','2026-11-25 02:05:15.549733','2026-11-25 02:05:17.335407');
INSERT INTO "trials" VALUES(9,1,2,'WAITING','2026-11-25 02:05:17.343271',NULL);
INSERT INTO "trials" VALUES(10,0,3,'COMPLETE','2026-11-25 02:05:36.999155','2026-11-25 02:05:37.195164');
INSERT INTO "trials" VALUES(11,1,3,'COMPLETE','2026-11-25 02:05:37.077620','2026-11-25 02:05:37.209681');
CREATE TABLE tuner_leases (
	trial_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	owner VARCHAR(300), 
	epoch INTEGER NOT NULL, 
	beat FLOAT NOT NULL, 
	deaths INTEGER NOT NULL, 
	PRIMARY KEY (trial_id)
);
INSERT INTO "tuner_leases" VALUES(1,1,NULL,1,1.79557230825700163846e+09,0);
INSERT INTO "tuner_leases" VALUES(2,1,NULL,1,1.79557230829099869731e+09,0);
INSERT INTO "tuner_leases" VALUES(3,1,NULL,1,1.79557230860501813884e+09,0);
INSERT INTO "tuner_leases" VALUES(4,1,NULL,1,1.79557230904400205607e+09,0);
INSERT INTO "tuner_leases" VALUES(5,1,NULL,1,1.79557230961301922799e+09,0);
INSERT INTO "tuner_leases" VALUES(6,1,NULL,1,1.79557231069798612591e+09,0);
INSERT INTO "tuner_leases" VALUES(7,1,NULL,1,1.7955723109969987869e+09,0);
INSERT INTO "tuner_leases" VALUES(8,2,NULL,1,1.79557231732901048659e+09,0);
INSERT INTO "tuner_leases" VALUES(9,2,NULL,1,1.79557231770700073247e+09,0);
CREATE TABLE tuner_studies (
	study_id INTEGER NOT NULL, 
	uid VARCHAR(32) NOT NULL, 
	slots INTEGER NOT NULL, 
	turn INTEGER NOT NULL, 
	stops INTEGER NOT NULL, 
	searched FLOAT NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "tuner_studies" VALUES(1,'9b2d3969280c4774b87649cdb4f3f08b',7,8,0,1.79557230342399621009e+09);
INSERT INTO "tuner_studies" VALUES(2,'661d5c827d7d489d9bc9142a22ab738d',2,3,0,1.79557231399501109124e+09);
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX ix_tuner_leases_study_id ON tuner_leases (study_id);
COMMIT;

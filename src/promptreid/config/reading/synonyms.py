"""Words that other code and papers use for what a recipe calls otherwise.

All are written without capitals and marks (see `promptreid.text.suggest.plain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _table(rows: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Give each word of "a, b" the ends of keys in "x, y"."""
    return MappingProxyType(
        {
            word: tuple(ends.split(", "))
            for words, ends in rows.items()
            for word in words.split(", ")
        }
    )


KEYS = _table(
    {
        # How long and how fast.
        "epochs, epoch, maxepochs, numepochs, nepochs, epochsimage, maxepoch": "epochs",
        "epochsprompt": "stages.prompts.epochs, epochs",
        "lr, learningrate, baselr, initlr, initiallr, lrvisual, lrclipvisual": "optimizer.lr",
        "lrprompt": "stages.prompts.optimizer.lr, optimizer.lr",
        "lrmodules, lrhead, lrmult, headlr": "optimizer.part_lr_factors",
        "wd, weightdecay, l2, weightdecayvisual": "optimizer.weight_decay",
        "weightdecayprompt": "stages.prompts.optimizer.weight_decay, optimizer.weight_decay",
        "optim, optimizer, optimizername, solver, opt": "optimizer.name",
        "momentum": "optimizer.momentum",
        "biaslrfactor": "optimizer.bias_lr_factor",
        "layerdecay, layerlrdecay, llrd": "optimizer.layer_decay",
        "scheduler, lrscheduler, schedule, sched, lrpolicy": "schedule.name",
        "warmup, warmupepochs, warmupiters": "schedule.warmup_epochs",
        "warmuplr, warmuplrinit": "schedule.warmup_lr",
        "warmupfactor": "schedule.warmup_factor",
        "lrmin, minlr, etamin": "schedule.lr_min",
        "steps, milestones, stepsize": "schedule.milestones",
        "gamma": "schedule.gamma",
        "gradclip, clipgrad, clipgradnorm, maxnorm, clip": "clip_norm",
        "gradaccum, accumulation, accumulationsteps, accumulate": "accumulate",
        "ema, emadecay": "ema",
        # Batches.
        "bs, batchsize, batch, imsperbatch, trainbatchsize": "batch.size, batch.identities",
        "numinstance, numinstances, instances, k, imagesperid": "batch.images",
        "p, numids, idsperbatch, identitiesperbatch": "batch.identities",
        # Backbone and images.
        "model, modelname, arch, architecture, clipmodel, encoder, net, network, visionmodel, "
        "backbone, backbonename": "backbone.name",
        "pretrained, weights, pretrain, pretrainpath, pretrainedpath": "backbone.pretrained",
        "checkpoint, ckpt, initfrom, loadfrom, promptckpt, resumepromptfrom": "start.checkpoint",
        "imagesize, imgsize, inputsize, size, height, width, resolution, sizetrain, sizetest": (
            "backbone.image_size"
        ),
        "stride, stridesize, patchstride, olp": "backbone.stride",
        "mean, std, normalize, pixelmean, pixelstd": "preprocess.normalize",
        "interpolation": "preprocess.train_interpolation, preprocess.test_interpolation",
        # Prompts.
        "nctx, ctx, contextlength, contexttokens, numtokens, tokens, promptlength, nclsctx": (
            "prompt.context_tokens"
        ),
        "ctxinit, classinit, promptinit, init": "prompt.init",
        "csc, classspecificcontext, context": "prompt.context",
        "template, prompttemplate, prompttemplatelist, sentence, simplifiedprompt, caption": (
            "prompt.template"
        ),
        "ensemble, promptensemble, numprompts": "prompt.ensemble",
        "promptdropout": "prompt.dropout",
        "hcp, sharedprompt, domainprompt, pshared": "prompt.shared_tokens, prompt.domain_tokens",
        "freezeprompt, freezetext, freezetextencoder, freezeimage, freezebackbone, freeze, "
        "trainprompt, trainbackbone, trainable, learnable, unfreeze": "learns",
        "unfreezeblocks, trainblocks, lastblocks, unfreezelayers, trainlayers": "blocks",
        # Losses.
        "loss, losses, lossname, lossterms, losslist, criterion": "losses",
        "labelsmooth, labelsmoothing, smoothing, iflabelsmooth, epsilon": "losses.id.smoothing",
        "margin, tripletmargin, nomargin": "losses.triplet.margin",
        "triplet, triplelossweight, tripletlossweight, tripletweight, losstriweight": (
            "losses.triplet.weight"
        ),
        "idloss, idlossweight, idweight, lossidweight, crossentropy, ce": "losses.id.weight",
        "i2t, i2tlossweight, i2tweight": "losses.i2t.weight",
        "supconlossweight, supconweight, supcon": "losses.supcon_i2t.weight, losses.supcon.weight",
        "centerloss, centerlossweight, centerweight": "losses.center.weight",
        "centerlr": "losses.center.lr",
        "arcface, usearcface": "losses.arcface",
        "arcfacescale, scale": "losses.arcface.scale",
        "arcfacemargin": "losses.arcface.margin",
        "mining, miner, hardmining, semihard": "losses.triplet.mining",
        "temperature, temp, tau, supcontemperature, logitscale": "losses.i2t.temperature",
        "moco, queue, queuesize": "losses.moco.size",
        # Augmentation.
        "flip, hflip, horizontalflip, fliprob, flipprob": "augment.flip",
        "erase, reprob, erasing, randomerasing": "augment.erase",
        "pad, padding": "augment.pad",
        "mixup": "augment.mix.mixup",
        "cutmix": "augment.mix.cutmix",
        "randaugment, augmix, trivialaugment, autoaugment, aug, augmentation": "augment.policy",
        "jitter, colorjitter": "augment.color_jitter",
        # Head, side information, additions.
        "neck, bnneck": "head.kind, embedding.neck",
        "neckfeat": "embedding.neck",
        "bnneckdim, bnneckreduction, reduction, featdim, embeddim, embeddingdim, outdim": (
            "head.reduction.width"
        ),
        "dropout, droprate": "head.dropout",
        "parts, stripes, pcb, mgn": "head.parts",
        "sie, camid, cameraid, siecamera, camera": "sie.camera",
        "viewid, sieview, view": "sie.view",
        "siecoe, siecoefficient": "sie.coefficient",
        "vpt, visualprompt, visualprompts, numvisualtokens": "tuning.visual_prompt.tokens",
        "deepvpt, vptdeep": "tuning.visual_prompt.deep",
        "lora, lorarank, rank, r": "tuning.lora.rank",
        "loraalpha, alpha": "tuning.lora.alpha",
        "sga, adapter, groupingadapter": "tuning.adapter",
        "crossattention, transformerlayers, crossattentionlayers, interaction": (
            "interaction.mode, interaction.blocks"
        ),
        # Choosing and scoring.
        "patience, earlystop, earlystopping, earlystoppatience": "validation.patience",
        "evalperiod, evalfreq, valfreq, valevery, evalevery, valinterval": "validation.every",
        "val, valtype, validation": "validation.kind",
        "valsplit, valfraction, valratio": "validation.fraction",
        "metric, monitor": "validation.metric",
        "saveevery, savefreq, savefrequency, checkpointperiod, savecheckpoint": "checkpoints.every",
        "rerank, reranking, kreciprocal": "evaluation.rerank",
        "fliptest, useflip, tta": "evaluation.flip",
        "qe, queryexpansion, aqe": "evaluation.query_expansion",
        "amp, fp16, bf16, mixedprecision, halfprecision, half": "hardware.precision",
        "stage, mode, stagemode, phase": "stage_mode",
    }
)
"""Word to the ends of the keys it may mean, the likeliest first."""


VALUES: Mapping[str, str] = MappingProxyType(
    {
        "promptonly": "prompts_only",
        "promptthenimage": "prompts_then_image",
        "imagesonly": "image_only",
        "step": "multistep",
        "cosineannealing": "cosine",
        "onecyclelr": "onecycle",
        "tripletmargin": "triplet",
    }
)
"""Word to the value that a recipe records for it."""


ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        word: advice
        for words, advice in {
            "data, dataset, datasets, datadir, dataroot, datapath, root, rootdir, traindata, "
            "dataseturl, datasetname": (
                "Data sets are no part of a recipe: give --data NAME:ROOT."
            ),
            "test, testdata, testset, target, evaldata": (
                "Data sets are no part of a recipe: give --test NAME:ROOT."
            ),
            "aspect, gallery, numsplits, repeats, split": (
                "That is an option of the data set: --data 'NAME:ROOT?key=value'; `promptreid data "
                "list` lists them."
            ),
            "seed, randomseed": "The seed is no part of a recipe: give --seed N.",
            "out, output, outputdir, outdir, savedir, logdir, savepath, logpath, workdir, exp, "
            "experiment, expname, runname": "The folder is no part of a recipe: give --out FOLDER.",
            "device, gpu, gpus, gpuid, deviceid, cuda": (
                "The device is no part of a recipe: give --device cuda, mps or cpu."
            ),
            "resume, resumefrom, resumefromcheckpoint": (
                "Give --resume --out FOLDER, the run to continue."
            ),
            "wandb, tensorboard, mlflow, tracker, logger, project": (
                "Trackers are no part of a recipe: give --track tensorboard, wandb or mlflow."
            ),
            "workers, numworkers, prefetch, pinmemory, shuffle": (
                "There is nothing to set: images are decoded once, by as many threads as there are "
                "cores, and drawn anew in each epoch."
            ),
            "numclasses, nclasses, numcameras, numviews": (
                "There is nothing to set: it is counted in the data."
            ),
            "logperiod, logfrequency, logfreq, printfreq, verbose": (
                "There is nothing to set: every epoch is logged."
            ),
            "note, notes, comment": "Notes are no part of a recipe: give --note TEXT.",
        }.items()
        for word in words.split(", ")
    }
)
"""Word to what to do, where it means nothing that a recipe holds."""


RECIPES = _table(
    {
        "bnneck, clipreid, twostage": "clip-reid",
        "sie, olp, sieolp, camid, cameraaware": "clip-reid-sie-olp",
        "hcp, sga, ptso, mta, mtaclip, domaingeneralization, dg": "mta-clip",
        "promptsg, psg, inversion, pseudotoken": "prompt-sg",
        "coop, promptlearner, promptonly, promptlearning, stage1": "prompt-learning",
        "imageonly, stage2": "prompt-guided, finetune-ce",
        "handclip, clipfh, clipid": "hand-clip",
        "vpt, visualprompttuning": "finetune-ce/vpt",
        "lora": "finetune-ce/lora",
        "moco, mocov3, selfsupervised": "pretrain-moco",
        "simclr, supcon": "pretrain-supcon",
        "zeroshotclip, baseline, zeroshot": "zero-shot",
        "finetune, ce, crossentropy": "finetune-ce",
    }
)
"""Word to the recipes that stand for it."""
